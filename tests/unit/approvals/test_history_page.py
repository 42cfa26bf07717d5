"""The pages of earlier decisions and of the audit trail."""

import re

import pytest

from fakes.approval_site import ApprovalSite, Person


def rows(page: str) -> list[str]:
    return re.findall(r'<th scope="row" data-label="Order"><a href="[^"]+">([^<]+)</a>', page)


@pytest.fixture
async def decided_approvals(site: ApprovalSite) -> None:
    """Store one approval of each kind, in alphabetical order from the latest end on."""
    for order_id in ("c-denied", "b-withdrawn", "a-approved", "z-pending"):
        await site.add_request(order_id)
    await site.add_request("d-expired", minutes=-60)
    await site.decide("c-denied", "bob", "too much for me", approved=False)
    site.clock.advance(hours=24)
    await site.add_request("a-approved", minutes=600)
    await site.withdraw("b-withdrawn", "cancelled_on_request")
    site.clock.advance(minutes=1)
    await site.decide("a-approved", "ada", "fine")
    await site.add_request("z-pending", minutes=6000)


@pytest.mark.usefixtures("decided_approvals")
async def test_rows_show_approver_time_and_reason(ada: Person) -> None:
    """Each row shows the outcome and its reason; pending approvals are not listed."""
    page = await ada.get("/inbox/decided")

    assert rows(page) == ["a-approved", "b-withdrawn", "c-denied", "d-expired"]
    denied = page[page.index("c-denied") : page.index("d-expired")]
    for text in ("denied", "bob", "2026-03-01 12:00:00 UTC", "too much for me", "$60,000.00"):
        assert text in denied
    assert "cancelled on request" in page


@pytest.mark.usefixtures("decided_approvals")
@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("text=FOR+me", ["c-denied"]),
        ("order_id=b-withdrawn", ["b-withdrawn"]),
        ("customer_id=carol&status=expired", ["d-expired"]),
        ("approver=bob", ["c-denied"]),
        ("status=approved&approver=&text=", ["a-approved"]),
        ("since=2026-03-02", ["a-approved", "b-withdrawn"]),
        ("until=2026-03-01", ["c-denied", "d-expired"]),
        ("until=2026-03-01&zone=Asia/Kolkata", ["c-denied", "d-expired"]),
        ("since=2026-03-02&until=2026-03-02&zone=Pacific/Kiritimati", ["c-denied", "d-expired"]),
        ("since=2026-03-02T12:01&until=2026-03-02T12:01:00", ["a-approved"]),
        ("text=%00carol&since=2026-03-02&until=2026-03-02", ["a-approved", "b-withdrawn"]),
        ("text=nowhere", []),
    ],
)
async def test_decisions_can_be_searched(ada: Person, query: str, expected: list[str]) -> None:
    """A search is a link, keeps the typed text, and says if there are no results."""
    page = await ada.get(f"/inbox/decided?{query}")

    assert rows(page) == expected
    assert expected or "No matching approvals." in page


@pytest.mark.usefixtures("decided_approvals")
@pytest.mark.parametrize(
    "query",
    [
        *("since=yesterday", "since=20261231", "since=2026-W01-1", "until=9999-12-31"),
        *("status=maybe", "since=2026-03-01&zone=Mars"),
    ],
)
async def test_an_invalid_search_is_explained(ada: Person, query: str) -> None:
    """The form is shown again with the typed text and an error."""
    page = await ada.get(f"/inbox/decided?{query}", 422)

    assert 'aria-invalid="true"' in page


async def test_an_invalid_cursor_is_rejected(ada: Person) -> None:
    """Only cursors from a page are accepted."""
    for path in ("/?after=x", "/inbox/decided?after=x"):
        await ada.get(path, 422)


async def test_an_empty_history_says_so(ada: Person) -> None:
    """An empty page explains what will appear there."""
    assert "No decisions yet." in await ada.get("/inbox/decided")


async def test_a_long_history_has_pages(site: ApprovalSite, ada: Person) -> None:
    """The next page continues where this one ends, with the same filters."""
    for number in range(52):
        await site.add_request(f"o-{number:02}", customer_id="dora & co" if number else "carol")
        site.clock.advance(seconds=1)
        await site.decide(f"o-{number:02}", "bob")

    first = await ada.get("/inbox/decided?customer_id=dora+%26+co")
    next_link = re.search(r'<a href="([^"]+)" rel="next"', first)
    assert next_link is not None
    second = await ada.get(next_link[1].replace("&amp;", "&"))

    assert rows(first) + rows(second) == [f"o-{number:02}" for number in range(51, 0, -1)]
    assert 'value="dora &amp; co"' in second
    assert 'rel="next"' not in second


async def test_operators_read_the_audit_trail(
    site: ApprovalSite, ada: Person, otto: Person
) -> None:
    """The trail shows actors and actions, escapes text, and can be filtered by subject."""
    for order_id in ("o-1", "o-2"):
        await site.add_request(order_id)
        await ada.decide(order_id, "approve", f"<i>{order_id}</i>")

    page = await otto.get("/inbox/audit")
    filtered = await otto.get("/inbox/audit?subject=o-1")

    assert "&lt;i&gt;o-2&lt;/i&gt;" in page
    assert "approval.approve" in page
    assert "sign-in" in page
    assert "&lt;i&gt;o-1&lt;/i&gt;" in filtered
    assert "o-2" not in filtered
    await ada.get("/inbox/audit", 403)
    assert "/inbox/audit" not in await ada.get("/")


async def test_a_long_audit_trail_has_pages(site: ApprovalSite, otto: Person) -> None:
    """Every entry appears on one of the pages."""
    for number in range(60):
        await site.add_request(f"o-{number}")
        await site.decide(f"o-{number}", "bob")

    first = await otto.get("/inbox/audit")
    next_link = re.search(r'<a href="([^"]+)" rel="next"', first)
    assert next_link is not None
    second = await otto.get(next_link[1])

    decided = [re.findall(r'data-label="Subject">(o-\d+)<', page) for page in (first, second)]
    assert [len(page) for page in decided] == [50, 10]
