"""The inbox and the page of a request."""

import re
from collections.abc import Awaitable, Callable

import pytest
from fastapi.routing import APIRoute

from approvals.pages.displayed import DISPLAY_SECONDS
from fakes.approval_site import BOARD, ApprovalSite, Person
from orderflow_contracts.approvals import DecisionMade
from orderflow_contracts.orders import OrderLine
from orderflow_hosting.access.guards import Guard
from orderflow_hosting.access.middleware import is_public

TIMES = "\N{MULTIPLICATION SIGN}"
EVIL = "<script>alert('x')</script>&\"><b>"


def text_of(page: str) -> str:
    """Return the text of a page without markup."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", page))


def orders_on(page: str) -> list[str]:
    return re.findall(r'<article id="request-([^"]+)"', page)


async def test_pending_requests_are_shown_with_all_details(site: ApprovalSite, ada: Person) -> None:
    """Each request has its details and a form, and the most urgent comes first."""
    await site.add_request("later", minutes=600)
    await site.add_request("soon", minutes=20, lines=[OrderLine(item="cars", quantity=11)])

    page = await ada.get("/")

    assert orders_on(page) == ["soon", "later"]
    assert f"11 {TIMES} cars" in page
    assert "$60,000.00" in page
    assert "carol" in page
    assert '<span class="countdown urgent" data-until="2026-03-01T12:20:00+00:00">20 min' in page
    assert '<span class="countdown" data-until="2026-03-01T22:00:00+00:00">10 h' in page
    assert "2 orders are waiting for a decision" in page
    assert 'action="/inbox/requests/soon/decision" method="post"' in page
    assert 'href="/inbox/requests/soon"' in page


async def test_an_empty_inbox_says_so(site: ApprovalSite, ada: Person) -> None:
    """An empty inbox says so, even if an early decision is stored."""
    await site.service.decide(DecisionMade(order_id="early", approved=True, approver="bob"))

    assert "No pending approvals." in await ada.get("/")


async def test_markup_is_text_in_every_field(site: ApprovalSite, ada: Person, bob: Person) -> None:
    """Markup in names, items, comments and reasons is escaped."""
    lines = [OrderLine(item=EVIL, quantity=1)]
    for order_id in ("pending", "decided", "two", "withdrawn"):
        levels = 2 if order_id == "two" else 1
        await site.add_request(order_id, customer_id=EVIL, lines=lines, levels=levels)
    await bob.decide("decided", "deny", EVIL)
    await bob.decide("two", "approve", EVIL)
    await site.withdraw("withdrawn", EVIL)

    paths = ["/?done=decided&shown=decided&shown=withdrawn", "/inbox/decided"]
    paths += [
        f"/inbox/requests/{order_id}" for order_id in ("pending", "decided", "two", "withdrawn")
    ]
    paths += [f"/inbox/decided?{field}=%3Cb%3E%22" for field in ("text", "order_id", "since")]
    pages = [await ada.get(path) if "since" not in path else "" for path in paths]

    for page in pages:
        assert "<script>alert" not in page
        assert "<b>" not in page
    assert pages[0].count("&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;") > 6


async def test_a_viewer_sees_no_buttons(site: ApprovalSite, vera: Person) -> None:
    """A viewer sees a note that only approvers can decide, and no form on any page."""
    await site.add_request("o-1")

    for path in ("/", "/inbox/requests/o-1"):
        page = await vera.get(path)
        assert "o-1" in page
        assert 'name="decision"' not in page
    assert "approvers can decide" in await vera.get("/")


async def test_a_request_may_need_two_approvals(
    site: ApprovalSite, ada: Person, bob: Person
) -> None:
    """The first approver is named and sees no buttons; the second one does."""
    await site.add_request("o-1", levels=2)
    assert "Two approvals are needed." in await ada.get("/")

    answer = await ada.decide("o-1", "approve", "good customer")

    for_ada = await ada.get(answer.headers["location"])
    assert "Your approval is recorded. A second approver is needed." in text_of(for_ada)
    assert 'name="decision"' not in for_ada
    assert "A second approver must decide." in for_ada
    for_bob = await bob.get("/")
    assert "First approval by <strong>ada</strong>" in for_bob
    assert "good customer" in for_bob
    assert 'name="decision"' in for_bob
    await bob.decide("o-1", "approve")
    assert "Approved by ada and bob." in await ada.get("/?shown=o-1")


async def test_ended_requests_stay_visible_for_a_while(site: ApprovalSite, ada: Person) -> None:
    """A request that a page displayed stays visible with its outcome for a limited time."""
    for order_id in ("denied", "expired", "withdrawn", "pending"):
        await site.add_request(order_id, minutes=30 if order_id == "expired" else 600)
    await site.decide("denied", "bob", "too much", approved=False)
    await site.withdraw("withdrawn", "cancelled_on_request")
    site.clock.advance(minutes=30)
    shown = "&".join(f"shown={order_id}" for order_id in ("denied", "expired", "withdrawn"))

    page = await ada.get(f"/?{shown}&shown=un.known&settled=x.y&settled=denied.99999999999999")
    settled = re.findall(r'name="settled" value="([^"]+)"', page)
    later = await ada.get("/?" + "&".join(f"settled={entry}" for entry in settled))
    site.clock.advance(seconds=DISPLAY_SECONDS)
    much_later = await ada.get("/?" + "&".join(f"settled={entry}" for entry in settled))

    assert sorted(orders_on(page)) == ["denied", "expired", "pending", "withdrawn"]
    words = text_of(page)
    assert "Denied by bob." in words
    assert "“too much”" in words
    assert "Expired before a decision was made." in words
    assert "Withdrawn: cancelled on request." in words
    assert page.count('name="decision" value="approve"') == 1
    assert orders_on(later) == orders_on(page)
    assert re.findall(r'name="settled" value="([^"]+)"', later) == settled
    assert orders_on(much_later) == ["pending"]


async def test_a_long_inbox_has_pages(site: ApprovalSite, ada: Person) -> None:
    """The pages have no gaps, and the count includes all requests."""
    for number in range(55):
        await site.add_request(f"o-{number:02}", minutes=60 + number)

    first = await ada.get("/")
    next_link = re.search(r'<a href="([^"]+)" rel="next"', first)
    assert next_link is not None
    second = await ada.get(next_link[1])

    assert orders_on(first) + orders_on(second) == [f"o-{number:02}" for number in range(55)]
    assert "55 orders are waiting" in first
    assert 'rel="next"' not in second
    assert "First page" in second


async def test_a_request_has_its_own_page(site: ApprovalSite, ada: Person) -> None:
    """The page shows all details and lines, and links to the order on the board."""
    lines = [OrderLine(item=f"item {number}", quantity=1000) for number in range(9)]
    await site.add_request("o-1", lines=lines)

    page = await ada.get("/inbox/requests/o-1")
    card = await ada.get("/")

    assert all(f"1,000 {TIMES} item {number}" in page for number in range(9))
    assert "and 3 more" in card
    assert f'href="{BOARD}/board/orders/o-1"' in page
    assert "2026-03-01 12:00:00 UTC" in page
    await site.decide("o-1", "bob", "fine")
    assert "Approved by bob." in await ada.get("/inbox/requests/o-1")


@pytest.mark.parametrize("order_id", ["not-requested", "no.such", "x" * 65])
async def test_an_unknown_request_is_not_found(ada: Person, order_id: str) -> None:
    """The error is a page as well."""
    page = await ada.get(f"/inbox/requests/{order_id}", 404)

    assert "no approval was requested for this order" in page.lower()


async def test_pages_require_signing_in(site: ApprovalSite) -> None:
    """Visitors who have not signed in are redirected to the sign-in page."""
    async with site.browser() as client:
        for path in ("/", "/inbox/decided", "/inbox/requests/o-1", "/inbox/audit"):
            answer = await client.get(path)
            assert answer.status_code == 303
            assert answer.headers["location"].startswith("/sign-in")


async def test_every_route_has_one_guard_or_is_public(site: ApprovalSite) -> None:
    """No page or form is left unprotected by mistake."""
    for route in site.app.routes:
        if isinstance(route, APIRoute) and not is_public(route.path):
            guards = [
                dependency.call
                for dependency in route.dependant.dependencies
                if isinstance(dependency.call, Guard)
            ]
            assert len(guards) == 1, route.path


async def test_pages_have_strict_security_headers(ada: Person) -> None:
    """Pages cannot load from other hosts, be framed, or be cached."""
    answer = await ada.client.get("/")

    assert answer.headers["content-security-policy"].startswith("default-src 'none'")
    assert answer.headers["x-frame-options"] == "DENY"
    assert answer.headers["cache-control"] == "no-store"
    assert not re.search(r"<(script|style)>|\sstyle=|\son[a-z]+=", answer.text)


async def test_an_open_page_is_notified_of_changes(
    site: ApprovalSite, ada: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The stream reports changes since the page was loaded, and ends with the session."""
    monkeypatch.setattr("orderflow_hosting.web.changes.MIN_PAUSE_SECONDS", 0.0)
    monkeypatch.setattr("orderflow_hosting.web.changes.STILL_HERE_SECONDS", 0.2)
    page = await ada.get("/")
    address = re.search(r'sse-connect="([^"]+)"', page)
    assert address is not None
    await site.add_request("o-1")
    follower = site.feed.follow(None)
    await anext(follower)
    monkeypatch.setattr(site.access, "session_is_current", _current_once())

    answer = await ada.client.get(address[1])

    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.text.count("event: changed") == 1
    await follower.aclose()


def _current_once() -> Callable[[object], Awaitable[bool]]:
    """Return a check by which the session ends after the first event."""
    answers = iter([True, False])

    async def is_current(_: object) -> bool:
        return next(answers)

    return is_current
