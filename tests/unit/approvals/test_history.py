import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import Connection, delete, text, update

from approvals.decisions.store import SqlApprovalStore
from approvals.domain import Case
from approvals.history import store as history_store
from approvals.history.backfill import repeat_backfill
from approvals.history.search import Search
from approvals.history.store import DecisionHistory, HistoryPosition
from approvals.tables import ACCESS, APPROVALS, SOURCES
from fakes.pauses import short_pause
from fakes.waiting import until
from orderflow_contracts.approvals import (
    ApprovalRequested,
    ApprovalStatus,
    ApprovalWithdrawn,
    Decision,
)
from orderflow_contracts.fields import now
from orderflow_contracts.orders import OrderLine
from orderflow_hosting.background import BackgroundWork
from orderflow_hosting.database import Database
from orderflow_hosting.spellings import backfill_repeatedly

NOW = now()


def at(minutes: float) -> object:
    return NOW + timedelta(minutes=minutes)


@pytest.fixture
def history(database: Database) -> DecisionHistory:
    return DecisionHistory(database)


async def add_request(
    store: SqlApprovalStore,
    order_id: str,
    expires: float = 60,
    customer: str = "carol",
    **more: int,
) -> None:
    request = ApprovalRequested(
        order_id=order_id,
        customer_id=customer,
        lines=(OrderLine(item="cars", quantity=4),),
        total_cents=60_000_00,
        expires_at=NOW + timedelta(minutes=expires),
        **more,
    )
    await store.change(order_id, lambda case: case.add_request(request, NOW - timedelta(hours=1)))


async def decide(
    store: SqlApprovalStore, order_id: str, minutes: float, approver: str = "ada", **more: object
) -> None:
    decision = Decision.model_validate({"approved": True, "approver": approver, **more})
    moment = NOW + timedelta(minutes=minutes)
    await store.change(order_id, lambda case: case.decide(decision, moment))


async def withdraw(store: SqlApprovalStore, order_id: str, minutes: float, reason: str) -> None:
    withdrawal = ApprovalWithdrawn(order_id=order_id, reason=reason)
    moment = NOW + timedelta(minutes=minutes)
    await store.change(order_id, lambda case: case.withdraw(withdrawal, moment))


@pytest.fixture
async def stored(store: SqlApprovalStore) -> None:
    """Store one approval of each kind, in alphabetical order from the latest end on."""
    for order_id in ("a-approved", "b-denied", "c-withdrawn", "z-pending"):
        await add_request(store, order_id)
    await add_request(store, "d-two", levels=2, customer="Dora")
    await add_request(store, "e-overdue", expires=-50)
    await add_request(store, "f-expired", expires=-55)
    await decide(store, "a-approved", -10, comment="Fine with me")
    await decide(store, "b-denied", -20, approved=False, approver="bob", comment="too MUCH")
    await withdraw(store, "c-withdrawn", -30, "cancelled_on_request")
    await decide(store, "d-two", -45, approver="bob")
    await decide(store, "d-two", -40)
    await withdraw(store, "f-expired", -5, "approval_expired")
    await decide(store, "early", -1)


async def found(history: DecisionHistory, **search: object) -> str:
    """Search, and return the first letters of the results."""
    result = await history.search(Search(**search), NOW, 100)  # type: ignore[arg-type]
    assert result.next is None
    return "".join(case.order_id[0] for case in result.cases)


@pytest.mark.usefixtures("stored")
@pytest.mark.parametrize(
    ("search", "expected"),
    [
        ({}, "abcdef"),
        ({"status": ApprovalStatus.APPROVED}, "ad"),
        ({"status": ApprovalStatus.DENIED}, "b"),
        ({"status": ApprovalStatus.EXPIRED}, "ef"),
        ({"status": ApprovalStatus.WITHDRAWN}, "c"),
        ({"status": ApprovalStatus.PENDING}, ""),
        ({"approver": "ada"}, "ad"),
        ({"approver": "bob"}, "bd"),
        ({"approver": "bob", "status": ApprovalStatus.APPROVED}, "d"),
        ({"customer_id": "Dora"}, "d"),
        ({"customer_id": "carol", "status": ApprovalStatus.EXPIRED}, "ef"),
        ({"order_id": "e-overdue"}, "e"),
        ({"order_id": "c-withdrawn"}, "c"),
        ({"order_id": "C-WITHDRAWN"}, "c"),
        ({"order_id": "c-withdraw_"}, ""),
        ({"order_id": "z-pending"}, ""),
        ({"order_id": "early"}, ""),
        ({"text": "much"}, "b"),
        ({"text": "FINE"}, "a"),
        ({"text": "on request"}, "c"),
        ({"text": "overdue"}, "e"),
        ({"text": "dora"}, "d"),
        ({"since": at(-40)}, "abcd"),
        ({"until": at(-20)}, "cdef"),
        ({"since": at(-50), "until": at(-20)}, "cde"),
    ],
)
async def test_each_filter_finds_its_matches(
    history: DecisionHistory, search: dict[str, object], expected: str
) -> None:
    """The latest end comes first, including requests that expired without a message."""
    assert await found(history, **search) == expected


async def test_names_and_text_are_found_in_all_spellings(
    history: DecisionHistory, store: SqlApprovalStore
) -> None:
    """Case and accents do not matter, and each approval is found once."""
    for dead_letter, name in zip("abc", ("José", "Jose\u0301", "JOSÉ"), strict=True):
        await add_request(store, dead_letter, customer=name, levels=2)
        await decide(store, dead_letter, -20, approver=f"1 {name}")
        await decide(store, dead_letter, -10, approver=f"2 {name}", comment="İSTANBUL 100%")
    await add_request(store, "other", customer="josef")
    await decide(store, "other", -5, approver="2 josef")

    for typed in ("jose", "JOSÉ", "Jose\u0301"):
        assert await found(history, customer_id=typed) == "cba"
        assert await found(history, approver=f"1 {typed}") == "cba"
        assert await found(history, approver=f"2 {typed}", customer_id=typed) == "cba"
    assert await found(history, text="istanbul 100%") == "cba"
    assert await found(history, text="jose\u0301") == "ocba"
    for nothing in ("_stanbul", "%", "\u0301"):
        assert await found(history, customer_id=nothing) == ""
    assert await found(history, text="istanbul_") == ""


@pytest.mark.usefixtures("stored")
async def test_names_of_an_earlier_version_are_found_in_all_spellings(
    database: Database, history: DecisionHistory
) -> None:
    """Their spellings are indexed in the background."""
    await database.write(lambda connection: connection.execute(delete(ACCESS.spellings)))
    assert await found(history, customer_id="dora") == ""
    indexing = asyncio.create_task(backfill_repeatedly(database, SOURCES))

    async def all_found() -> bool:
        names = [await found(history, approver=name) for name in ("ADA", "BOB")]
        return [await found(history, customer_id="dora"), *names] == ["d", "ad", "bd"]

    await until(all_found)
    indexing.cancel()


@pytest.mark.usefixtures("stored")
@pytest.mark.parametrize("search", [Search(), Search(text="o"), Search(approver="ada")])
async def test_small_pages_equal_one_large_page(history: DecisionHistory, search: Search) -> None:
    """Pages of one result together equal one large page."""
    whole = (await history.search(search, NOW, 100)).cases
    pages: list[Case] = []
    position: HistoryPosition | None = None
    while True:
        page = await history.search(search, NOW, 1, position)
        pages += page.cases
        if page.next is None:
            break
        position = page.next

    assert pages == list(whole)


@pytest.mark.usefixtures("stored")
async def test_a_search_with_few_matches_stops_and_can_continue(
    history: DecisionHistory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page scans a limited number of rows, and returns where to continue."""
    monkeypatch.setattr(history_store, "MAX_ROWS_SCANNED", 2)
    monkeypatch.setattr(history_store, "BATCH_ROWS", 1)
    found_ids: list[str] = []
    pages = 0
    position: HistoryPosition | None = None
    while True:
        page = await history.search(Search(text="dora"), NOW, 1, position)
        found_ids += [case.order_id for case in page.cases]
        pages += 1
        if page.next is None:
            break
        assert page.cases or not page.is_complete
        position = page.next

    assert found_ids == ["d-two"]
    assert pages > 1


async def test_approvals_that_end_at_the_same_time_are_all_found(
    history: DecisionHistory, store: SqlApprovalStore
) -> None:
    """Equal times are sorted by order ID, and the next page continues after it."""
    for order_id in ("o-1", "o-2", "o-3"):
        await add_request(store, order_id)
        await decide(store, order_id, -1)

    first = await history.search(Search(), NOW, 2)
    second = await history.search(Search(), NOW, 2, first.next)

    assert [case.order_id for case in first.cases] == ["o-3", "o-2"]
    assert [case.order_id for case in second.cases] == ["o-1"]


@pytest.mark.parametrize(
    ("condition", "index"),
    [
        ("concluded_at IS NOT NULL", "approvals_concluded"),
        ("concluded_at IS NOT NULL AND status = 'denied'", "approvals_by_outcome"),
        ("concluded_at IS NOT NULL AND customer_id = 'c'", "approvals_by_customer"),
        ("concluded_at IS NOT NULL AND approver = 'a'", "approvals_by_approver"),
        ("concluded_at IS NOT NULL AND endorser = 'a'", "approvals_by_endorser"),
    ],
)
async def test_each_scan_uses_an_index(database: Database, condition: str, index: str) -> None:
    """No scan sorts, or reads the table from its beginning."""
    query = (
        f"EXPLAIN QUERY PLAN SELECT * FROM approvals WHERE {condition} AND status IS NOT NULL "  # noqa: S608
        "AND concluded_at <= '2' AND (concluded_at < '2' OR order_id < 'o') "
        "ORDER BY concluded_at DESC, order_id DESC LIMIT 10"
    )

    plan = await database.read(lambda connection: connection.execute(text(query)).all())

    assert f"USING INDEX {index}" in str(plan)
    assert "TEMP B-TREE" not in str(plan)


@pytest.mark.usefixtures("stored")
async def test_rows_of_an_earlier_version_are_backfilled(
    database: Database, store: SqlApprovalStore, history: DecisionHistory
) -> None:
    """Decisions without the time of their end are found once they are backfilled."""

    def remove_ends(connection: Connection) -> None:
        connection.execute(update(APPROVALS).values(concluded_at=None))

    await database.write(remove_ends)
    assert await found(history) == "e"

    async def all_found() -> bool:
        return await found(history) == "abcdef"

    async with BackgroundWork(short_pause) as background:
        repeat_backfill(lambda _: store.backfill(2), background)
        await until(all_found)
