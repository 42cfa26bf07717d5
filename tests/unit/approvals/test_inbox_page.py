"""The inbox and a request's own page, as people read them."""

import re
from collections.abc import Awaitable, Callable

import pytest
from fastapi.routing import APIRoute

from approvals.pages.shown import IN_SIGHT_SECONDS
from fakes.approval_site import BOARD, ApprovalSite, Person
from orderflow_contracts.approvals import DecisionMade
from orderflow_contracts.orders import OrderLine
from orderflow_hosting.access.guards import Guard
from orderflow_hosting.access.middleware import is_public

TIMES = "\N{MULTIPLICATION SIGN}"
EVIL = "<script>alert('x')</script>&\"><b>"


def text_of(page: str) -> str:
    """Leave out the markup."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", page))


def orders_on(page: str) -> list[str]:
    return re.findall(r'<article id="request-([^"]+)"', page)


async def test_what_waits_is_shown_with_what_a_decision_needs(
    site: ApprovalSite, ada: Person
) -> None:
    """The most urgent comes first, with order, customer, lines, amount, time left and a form."""
    await site.ask("later", minutes=600)
    await site.ask("soon", minutes=20, lines=[OrderLine(item="cars", quantity=11)])

    page = await ada.look("/")

    assert orders_on(page) == ["soon", "later"]
    assert f"11 {TIMES} cars" in page
    assert "$60,000.00" in page
    assert "carol" in page
    assert '<span class="countdown urgent" data-until="2026-03-01T12:20:00+00:00">20 min' in page
    assert '<span class="countdown" data-until="2026-03-01T22:00:00+00:00">10 h' in page
    assert "2 orders wait for a decision" in page
    assert 'action="/inbox/requests/soon/decision" method="post"' in page
    assert 'href="/inbox/requests/soon"' in page


async def test_an_empty_inbox_says_so(site: ApprovalSite, ada: Person) -> None:
    """Nothing to do is told kindly, also when something is on its way."""
    await site.inbox.decide(DecisionMade(order_id="early", approved=True, approver="bob"))

    assert "Nothing waits for you." in await ada.look("/")


async def test_markup_is_text_in_every_field(site: ApprovalSite, ada: Person, bob: Person) -> None:
    """Whatever names, items, comments and reasons hold is shown, and never obeyed."""
    lines = [OrderLine(item=EVIL, quantity=1)]
    for order_id in ("waits", "decided", "two", "gone"):
        levels = 2 if order_id == "two" else 1
        await site.ask(order_id, customer_id=EVIL, lines=lines, levels=levels)
    await bob.decide("decided", "deny", EVIL)
    await bob.decide("two", "approve", EVIL)
    await site.withdraw("gone", EVIL)

    paths = ["/?done=decided&shown=decided&shown=gone", "/inbox/decided"]
    paths += [f"/inbox/requests/{order_id}" for order_id in ("waits", "decided", "two", "gone")]
    paths += [f"/inbox/decided?{field}=%3Cb%3E%22" for field in ("text", "order_id", "since")]
    pages = [await ada.look(path) if "since" not in path else "" for path in paths]

    for page in pages:
        assert "<script>alert" not in page
        assert "<b>" not in page
    assert pages[0].count("&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;") > 6


async def test_who_may_only_look_sees_no_buttons(site: ApprovalSite, vera: Person) -> None:
    """A viewer is told that approvers decide, and has no form, on no page."""
    await site.ask("o-1")

    for path in ("/", "/inbox/requests/o-1"):
        page = await vera.look(path)
        assert "o-1" in page
        assert 'name="decision"' not in page
    assert "approvers decide" in await vera.look("/")


async def test_two_people_are_needed(site: ApprovalSite, ada: Person, bob: Person) -> None:
    """Who approved first is named; that person is told to wait, the other one has the buttons."""
    await site.ask("o-1", levels=2)
    assert "Two people must approve this one." in await ada.look("/")

    answer = await ada.decide("o-1", "approve", "good customer")

    told = await ada.look(answer.headers["location"])
    assert "Your approval is kept. A second person must approve" in text_of(told)
    assert 'name="decision"' not in told
    assert "somebody else must decide now" in told
    for_bob = await bob.look("/")
    assert "<strong>ada</strong> approved first" in for_bob
    assert "good customer" in for_bob
    assert 'name="decision"' in for_bob
    await bob.decide("o-1", "approve")
    assert "ada and bob approved it." in await ada.look("/?shown=o-1")


async def test_what_ends_stays_in_sight_where_it_was_shown(site: ApprovalSite, ada: Person) -> None:
    """A page that showed a request as waiting is told how it ended, and forgets it in the end."""
    for order_id in ("denied", "expired", "withdrawn", "waits"):
        await site.ask(order_id, minutes=30 if order_id == "expired" else 600)
    await site.decide("denied", "bob", "too much", approved=False)
    await site.withdraw("withdrawn", "cancelled_on_request")
    site.clock.pass_by(minutes=30)
    shown = "&".join(f"shown={order_id}" for order_id in ("denied", "expired", "withdrawn"))

    page = await ada.look(f"/?{shown}&shown=un.known&settled=x.y&settled=denied.99999999999999")
    settled = re.findall(r'name="settled" value="([^"]+)"', page)
    later = await ada.look("/?" + "&".join(f"settled={entry}" for entry in settled))
    site.clock.pass_by(seconds=IN_SIGHT_SECONDS)
    much_later = await ada.look("/?" + "&".join(f"settled={entry}" for entry in settled))

    assert sorted(orders_on(page)) == ["denied", "expired", "waits", "withdrawn"]
    words = text_of(page)
    assert "bob denied it." in words
    assert "“too much”" in words
    assert "Its time was over before it was decided." in words
    assert "The order no longer waits for approval: cancelled on request." in words
    assert page.count('name="decision" value="approve"') == 1
    assert orders_on(later) == orders_on(page)
    assert re.findall(r'name="settled" value="([^"]+)"', later) == settled
    assert orders_on(much_later) == ["waits"]


async def test_a_long_inbox_comes_page_by_page(site: ApprovalSite, ada: Person) -> None:
    """Pages follow each other without a gap, and the count is of all."""
    for number in range(55):
        await site.ask(f"o-{number:02}", minutes=60 + number)

    first = await ada.look("/")
    onward = re.search(r'<a href="([^"]+)" rel="next"', first)
    assert onward is not None
    second = await ada.look(onward[1])

    assert orders_on(first) + orders_on(second) == [f"o-{number:02}" for number in range(55)]
    assert "55 orders wait" in first
    assert 'rel="next"' not in second
    assert "First page" in second


async def test_a_request_has_a_page_of_its_own(site: ApprovalSite, ada: Person) -> None:
    """It tells all facts, every line, and leads to the order on the board."""
    lines = [OrderLine(item=f"item {number}", quantity=1000) for number in range(9)]
    await site.ask("o-1", lines=lines)

    page = await ada.look("/inbox/requests/o-1")
    card = await ada.look("/")

    assert all(f"1,000 {TIMES} item {number}" in page for number in range(9))
    assert "and 3 more" in card
    assert f'href="{BOARD}/board/orders/o-1"' in page
    assert "2026-03-01 12:00:00 UTC" in page
    await site.decide("o-1", "bob", "fine")
    assert "bob approved it." in await ada.look("/inbox/requests/o-1")


@pytest.mark.parametrize("order_id", ["nobody-asked", "no.such", "x" * 65])
async def test_an_unknown_request_is_not_found(ada: Person, order_id: str) -> None:
    """There is a page for that, too."""
    page = await ada.look(f"/inbox/requests/{order_id}", 404)

    assert "nobody has asked for an approval of this order" in page.lower()


async def test_nobody_looks_without_signing_in(site: ApprovalSite) -> None:
    """Whoever has not signed in is led to where that is done, and back afterwards."""
    async with site.browser() as client:
        for path in ("/", "/inbox/decided", "/inbox/requests/o-1", "/inbox/audit"):
            answer = await client.get(path)
            assert answer.status_code == 303
            assert answer.headers["location"].startswith("/sign-in")


async def test_every_route_has_one_guard_or_is_public(site: ApprovalSite) -> None:
    """No page and no form is left open by mistake."""
    for route in site.app.routes:
        if isinstance(route, APIRoute) and not is_public(route.path):
            guards = [
                dependency.call
                for dependency in route.dependant.dependencies
                if isinstance(dependency.call, Guard)
            ]
            assert len(guards) == 1, route.path


async def test_pages_are_strict(ada: Person) -> None:
    """Nothing is loaded from elsewhere, framed, or kept by a cache."""
    answer = await ada.client.get("/")

    assert answer.headers["content-security-policy"].startswith("default-src 'none'")
    assert answer.headers["x-frame-options"] == "DENY"
    assert answer.headers["cache-control"] == "no-store"
    assert not re.search(r"<(script|style)>|\sstyle=|\son[a-z]+=", answer.text)


async def test_an_open_page_hears_of_changes(
    site: ApprovalSite, ada: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The stream tells at once of what came after the page, and ends with the service."""
    monkeypatch.setattr("orderflow_hosting.web.changes.LEAST_PAUSE_SECONDS", 0.0)
    monkeypatch.setattr("orderflow_hosting.web.changes.STILL_HERE_SECONDS", 0.2)
    page = await ada.look("/")
    address = re.search(r'sse-connect="([^"]+)"', page)
    assert address is not None
    await site.ask("o-1")
    told = site.feed.follow(None)
    await anext(told)
    monkeypatch.setattr(site.access, "session_is_current", _until_told())

    answer = await ada.client.get(address[1])

    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.text.count("event: changed") == 1
    await told.aclose()


def _until_told() -> Callable[[object], Awaitable[bool]]:
    """Let a session end after the first word."""
    answers = iter([True, False])

    async def is_current(_: object) -> bool:
        return next(answers)

    return is_current
