import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import Connection, delete, text, update

from approvals import past as past_module
from approvals.domain import Case
from approvals.filling import keep_completing
from approvals.past import Past, Search, Spot
from approvals.store import SqlApprovalStore
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
from orderflow_hosting.spellings import keep_noted

NOW = now()


def at(minutes: float) -> object:
    return NOW + timedelta(minutes=minutes)


@pytest.fixture
def past(database: Database) -> Past:
    return Past(database)


async def ask(
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
    await store.change(order_id, lambda case: case.ask(request, NOW - timedelta(hours=1)))


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
    """One of each kind, the latest end first in the alphabet."""
    for order_id in ("a-approved", "b-denied", "c-withdrawn", "z-pending"):
        await ask(store, order_id)
    await ask(store, "d-two", levels=2, customer="Dora")
    await ask(store, "e-passed", expires=-50)
    await ask(store, "f-expired", expires=-55)
    await decide(store, "a-approved", -10, comment="Fine with me")
    await decide(store, "b-denied", -20, approved=False, approver="bob", comment="too MUCH")
    await withdraw(store, "c-withdrawn", -30, "cancelled_on_request")
    await decide(store, "d-two", -45, approver="bob")
    await decide(store, "d-two", -40)
    await withdraw(store, "f-expired", -5, "approval_expired")
    await decide(store, "kept", -1)


async def found(past: Past, **search: object) -> str:
    """Search and tell the first letters of what comes."""
    result = await past.search(Search(**search), NOW, 100)  # type: ignore[arg-type]
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
        ({"order_id": "e-passed"}, "e"),
        ({"order_id": "c-withdrawn"}, "c"),
        ({"order_id": "C-WITHDRAWN"}, "c"),
        ({"order_id": "c-withdraw_"}, ""),
        ({"order_id": "z-pending"}, ""),
        ({"order_id": "kept"}, ""),
        ({"text": "much"}, "b"),
        ({"text": "FINE"}, "a"),
        ({"text": "on request"}, "c"),
        ({"text": "passed"}, "e"),
        ({"text": "dora"}, "d"),
        ({"since": at(-40)}, "abcd"),
        ({"until": at(-20)}, "cdef"),
        ({"since": at(-50), "until": at(-20)}, "cde"),
    ],
)
async def test_each_condition_finds_what_it_names(
    past: Past, search: dict[str, object], expected: str
) -> None:
    """The latest end comes first, also of what only the clock has ended."""
    assert await found(past, **search) == expected


async def test_names_and_text_are_found_in_all_spellings(
    past: Past, store: SqlApprovalStore
) -> None:
    """By accents composed or combined, or none, in capitals or not; each approval once."""
    for letter, name in zip("abc", ("José", "Jose\u0301", "JOSÉ"), strict=True):
        await ask(store, letter, customer=name, levels=2)
        await decide(store, letter, -20, approver=f"1 {name}")
        await decide(store, letter, -10, approver=f"2 {name}", comment="İSTANBUL 100%")
    await ask(store, "other", customer="josef")
    await decide(store, "other", -5, approver="2 josef")

    for typed in ("jose", "JOSÉ", "Jose\u0301"):
        assert await found(past, customer_id=typed) == "cba"
        assert await found(past, approver=f"1 {typed}") == "cba"
        assert await found(past, approver=f"2 {typed}", customer_id=typed) == "cba"
    assert await found(past, text="istanbul 100%") == "cba"
    assert await found(past, text="jose\u0301") == "ocba"
    for nothing in ("_stanbul", "%", "\u0301"):
        assert await found(past, customer_id=nothing) == ""
    assert await found(past, text="istanbul_") == ""


@pytest.mark.usefixtures("stored")
async def test_names_of_an_earlier_version_are_found_in_all_spellings(
    database: Database, past: Past
) -> None:
    """They are noted while the service goes on."""
    await database.write(lambda connection: connection.execute(delete(ACCESS.spellings)))
    assert await found(past, customer_id="dora") == ""
    noting = asyncio.create_task(keep_noted(database, SOURCES))

    async def all_found() -> bool:
        names = [await found(past, approver=name) for name in ("ADA", "BOB")]
        return [await found(past, customer_id="dora"), *names] == ["d", "ad", "bd"]

    await until(all_found)
    noting.cancel()


@pytest.mark.usefixtures("stored")
@pytest.mark.parametrize("search", [Search(), Search(text="o"), Search(approver="ada")])
async def test_pages_follow_each_other(past: Past, search: Search) -> None:
    """One item a page is the same as all on one."""
    whole = (await past.search(search, NOW, 100)).cases
    pages: list[Case] = []
    spot: Spot | None = None
    while True:
        page = await past.search(search, NOW, 1, spot)
        pages += page.cases
        if page.next is None:
            break
        spot = page.next

    assert pages == list(whole)


@pytest.mark.usefixtures("stored")
async def test_a_search_that_finds_little_stops_and_can_go_on(
    past: Past, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page looks at so many rows and no more, and says from where to look on."""
    monkeypatch.setattr(past_module, "MOST_EXAMINED", 2)
    monkeypatch.setattr(past_module, "AT_ONCE", 1)
    met: list[str] = []
    pages = 0
    spot: Spot | None = None
    while True:
        page = await past.search(Search(text="dora"), NOW, 1, spot)
        met += [case.order_id for case in page.cases]
        pages += 1
        if page.next is None:
            break
        assert page.cases or not page.looked_at_all
        spot = page.next

    assert met == ["d-two"]
    assert pages > 1


async def test_two_that_end_at_once_are_both_found(past: Past, store: SqlApprovalStore) -> None:
    """The order decides among equals, and a page goes on after it."""
    for order_id in ("o-1", "o-2", "o-3"):
        await ask(store, order_id)
        await decide(store, order_id, -1)

    first = await past.search(Search(), NOW, 2)
    second = await past.search(Search(), NOW, 2, first.next)

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
async def test_each_way_reads_an_index(database: Database, condition: str, index: str) -> None:
    """No way through the table sorts, or begins at its beginning."""
    query = (
        f"EXPLAIN QUERY PLAN SELECT * FROM approvals WHERE {condition} AND status IS NOT NULL "  # noqa: S608
        "AND concluded_at <= '2' AND (concluded_at < '2' OR order_id < 'o') "
        "ORDER BY concluded_at DESC, order_id DESC LIMIT 10"
    )

    plan = await database.read(lambda connection: connection.execute(text(query)).all())

    assert f"USING INDEX {index}" in str(plan)
    assert "TEMP B-TREE" not in str(plan)


@pytest.mark.usefixtures("stored")
async def test_rows_of_an_earlier_version_are_completed(
    database: Database, store: SqlApprovalStore, past: Past
) -> None:
    """What was decided before the ends were noted is found after a while, at the same place."""

    def forget(connection: Connection) -> None:
        connection.execute(update(APPROVALS).values(concluded_at=None))

    await database.write(forget)
    assert await found(past) == "e"

    async def all_found() -> bool:
        return await found(past) == "abcdef"

    async with BackgroundWork(short_pause) as background:
        keep_completing(lambda _: store.complete(2), background)
        await until(all_found)
