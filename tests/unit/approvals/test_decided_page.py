"""Looking back: what was decided, and who did what."""

import re

import pytest

from fakes.approval_site import ApprovalSite, Person


def rows(page: str) -> list[str]:
    return re.findall(r'<th scope="row" data-label="Order"><a href="[^"]+">([^<]+)</a>', page)


@pytest.fixture
async def some_decided(site: ApprovalSite) -> None:
    """Have one of each kind, the latest first in the alphabet."""
    for order_id in ("c-denied", "b-gone", "a-approved", "z-waits"):
        await site.ask(order_id)
    await site.ask("d-expired", minutes=-60)
    await site.decide("c-denied", "bob", "too much for me", approved=False)
    site.clock.pass_by(hours=24)
    await site.ask("a-approved", minutes=600)
    await site.withdraw("b-gone", "cancelled_on_request")
    site.clock.pass_by(minutes=1)
    await site.decide("a-approved", "ada", "fine")
    await site.ask("z-waits", minutes=6000)


@pytest.mark.usefixtures("some_decided")
async def test_what_was_decided_says_who_when_and_why(ada: Person) -> None:
    """Each row tells the outcome with its reason; what waits is not among them."""
    page = await ada.look("/inbox/decided")

    assert rows(page) == ["a-approved", "b-gone", "c-denied", "d-expired"]
    denied = page[page.index("c-denied") : page.index("d-expired")]
    for told in ("denied", "bob", "2026-03-01 12:00:00 UTC", "too much for me", "$60,000.00"):
        assert told in denied
    assert "cancelled on request" in page


@pytest.mark.usefixtures("some_decided")
@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("text=FOR+me", ["c-denied"]),
        ("order_id=b-gone", ["b-gone"]),
        ("customer_id=carol&status=expired", ["d-expired"]),
        ("approver=bob", ["c-denied"]),
        ("status=approved&approver=&text=", ["a-approved"]),
        ("since=2026-03-02", ["a-approved", "b-gone"]),
        ("until=2026-03-01", ["c-denied", "d-expired"]),
        ("until=2026-03-01&zone=Asia/Kolkata", ["c-denied", "d-expired"]),
        ("since=2026-03-02&until=2026-03-02&zone=Pacific/Kiritimati", ["c-denied", "d-expired"]),
        ("since=2026-03-02T12:01&until=2026-03-02T12:01:00", ["a-approved"]),
        ("text=%00carol&since=2026-03-02&until=2026-03-02", ["a-approved", "b-gone"]),
        ("text=nowhere", []),
    ],
)
async def test_it_can_be_searched(ada: Person, query: str, expected: list[str]) -> None:
    """A search is a link, keeps what was typed, and says when it finds nothing."""
    page = await ada.look(f"/inbox/decided?{query}")

    assert rows(page) == expected
    assert expected or "Nothing was found." in page


@pytest.mark.usefixtures("some_decided")
@pytest.mark.parametrize(
    "query",
    [
        *("since=yesterday", "since=20261231", "since=2026-W01-1", "until=9999-12-31"),
        *("status=maybe", "since=2026-03-01&zone=Mars"),
    ],
)
async def test_a_search_that_makes_no_sense_is_explained(ada: Person, query: str) -> None:
    """The form comes back with what was typed, and what is wrong with it."""
    page = await ada.look(f"/inbox/decided?{query}", 422)

    assert 'aria-invalid="true"' in page


async def test_a_wrong_cursor_is_refused(ada: Person) -> None:
    """Only places that a page has named can be read on from."""
    for path in ("/?after=x", "/inbox/decided?after=x"):
        await ada.look(path, 422)


async def test_nothing_decided_yet_is_said(ada: Person) -> None:
    """An empty page explains what will be on it."""
    assert "Nothing is decided yet." in await ada.look("/inbox/decided")


async def test_many_come_page_by_page(site: ApprovalSite, ada: Person) -> None:
    """The next page goes on where this one ends, and keeps looking for the same."""
    for number in range(52):
        await site.ask(f"o-{number:02}", customer_id="dora & co" if number else "carol")
        site.clock.pass_by(seconds=1)
        await site.decide(f"o-{number:02}", "bob")

    first = await ada.look("/inbox/decided?customer_id=dora+%26+co")
    onward = re.search(r'<a href="([^"]+)" rel="next"', first)
    assert onward is not None
    second = await ada.look(onward[1].replace("&amp;", "&"))

    assert rows(first) + rows(second) == [f"o-{number:02}" for number in range(51, 0, -1)]
    assert 'value="dora &amp; co"' in second
    assert 'rel="next"' not in second


async def test_operators_read_the_audit_trail(
    site: ApprovalSite, ada: Person, otto: Person
) -> None:
    """It tells who did what by which way, escapes it, and can be narrowed to one subject."""
    for order_id in ("o-1", "o-2"):
        await site.ask(order_id)
        await ada.decide(order_id, "approve", f"<i>{order_id}</i>")

    page = await otto.look("/inbox/audit")
    narrowed = await otto.look("/inbox/audit?subject=o-1")

    assert "&lt;i&gt;o-2&lt;/i&gt;" in page
    assert "approval.approve" in page
    assert "sign-in" in page
    assert "&lt;i&gt;o-1&lt;/i&gt;" in narrowed
    assert "o-2" not in narrowed
    await ada.look("/inbox/audit", 403)
    assert "/inbox/audit" not in await ada.look("/")


async def test_a_long_trail_comes_page_by_page(site: ApprovalSite, otto: Person) -> None:
    """Every entry is on one of the pages."""
    for number in range(60):
        await site.ask(f"o-{number}")
        await site.decide(f"o-{number}", "bob")

    first = await otto.look("/inbox/audit")
    onward = re.search(r'<a href="([^"]+)" rel="next"', first)
    assert onward is not None
    second = await otto.look(onward[1])

    decided = [re.findall(r'data-label="About">(o-\d+)<', page) for page in (first, second)]
    assert [len(page) for page in decided] == [50, 10]
