import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import Connection, text

from approvals.decisions.ports import ListPosition, Version
from approvals.decisions.store import SqlApprovalStore
from approvals.domain import AlreadyDecided, Case
from approvals.tables import SCHEMA, TABLES
from fakes.schemas import WITHOUT_PARKED_EVENTS, FromModels, migrated
from orderflow_contracts.approvals import (
    ApprovalRequested,
    ApprovalStatus,
    ApprovalWithdrawn,
    Decision,
)
from orderflow_contracts.fields import now
from orderflow_contracts.orders import OrderLine
from orderflow_hosting.database import Database, DatabaseUnavailable

NOW = now()
NEWEST = ("concluded_at", "change_number")
YES = Decision(approved=True, approver="ada", comment="")
NO = Decision(approved=False, approver="ada", comment="")


def request(order_id: str, minutes: int = 60) -> ApprovalRequested:
    return ApprovalRequested(
        order_id=order_id,
        customer_id="carol",
        lines=(OrderLine(item="cars", quantity=4),),
        total_cents=2**62,
        expires_at=NOW + timedelta(minutes=minutes),
    )


async def add_request(store: SqlApprovalStore, order_id: str, minutes: int = 60) -> None:
    await store.change(order_id, lambda case: case.add_request(request(order_id, minutes), NOW))


async def decide(store: SqlApprovalStore, order_id: str, decision: Decision = YES) -> None:
    await store.change(order_id, lambda case: case.decide(decision, NOW))


async def withdraw(store: SqlApprovalStore, order_id: str, reason: str) -> None:
    withdrawal = ApprovalWithdrawn(order_id=order_id, reason=reason)
    await store.change(order_id, lambda case: case.withdraw(withdrawal, NOW))


async def listed(
    store: SqlApprovalStore,
    status: ApprovalStatus | None,
    limit: int = 100,
    after: ListPosition | None = None,
) -> list[str]:
    return [case.order_id for case in await store.list(status, NOW, limit, after)]


async def test_a_case_is_stored_without_loss(store: SqlApprovalStore) -> None:
    """Request, decision, handover and end are stored without loss, to the microsecond."""
    withdrawal = ApprovalWithdrawn(order_id="o-1", reason="approval_expired")

    await add_request(store, "o-1")
    await decide(store, "o-1")
    _, written = await store.change("o-1", lambda case: case.withdraw(withdrawal, NOW))

    assert await store.find("o-1") == written
    assert written.final is not None
    assert written.final.outcome == "too_late"


async def test_both_approvals_are_stored_without_loss(store: SqlApprovalStore) -> None:
    """If two approvals are needed, the first is stored beside the final one."""
    both = request("o-1").model_copy(update={"levels": 2})
    await store.change("o-1", lambda case: case.add_request(both, NOW))
    await decide(store, "o-1")

    assert await store.undelivered() == []
    assert await listed(store, ApprovalStatus.PENDING) == ["o-1"]
    await decide(store, "o-1", Decision(approved=True, approver="bob"))

    found = await store.find("o-1")
    assert found.first_approval is not None
    assert found.first_approval.decision == YES
    assert found.received is not None
    assert found.received.request == both
    assert await store.undelivered() == ["o-1"]


async def test_two_concurrent_approvals_both_count(store: SqlApprovalStore) -> None:
    """Concurrent approvals are serialized: two are accepted, and the rest are rejected."""
    both = request("o-1").model_copy(update={"levels": 2})
    await store.change("o-1", lambda case: case.add_request(both, NOW))
    decisions = [Decision(approved=True, approver=f"person {number}") for number in range(20)]

    outcomes = await asyncio.gather(
        *(decide(store, "o-1", decision) for decision in decisions), return_exceptions=True
    )

    assert sum(outcome is None for outcome in outcomes) == 2
    assert (await store.find("o-1")).status(NOW) is ApprovalStatus.APPROVED


async def test_the_table_of_an_earlier_version_is_adopted(
    database_url: str, database: Database, store: SqlApprovalStore
) -> None:
    """Rows from before approval levels are read as needing one approval."""
    await add_request(store, "requested")
    await add_request(store, "decided")
    await decide(store, "decided")
    written = [await store.find(order_id) for order_id in ("requested", "decided")]

    def downgrade(connection: Connection) -> None:
        for statement in WITHOUT_PARKED_EVENTS:
            connection.execute(text(statement))
        for index in ("change", "customer", "approver", "endorser", "outcome"):
            connection.execute(text(f"DROP INDEX approvals_by_{index}"))
        for index in ("concluded", "incomplete"):
            connection.execute(text(f"DROP INDEX approvals_{index}"))
        for column in ("levels", "endorser", "endorsement", "endorsed_at", *NEWEST):
            connection.execute(text(f"ALTER TABLE approvals DROP COLUMN {column}"))

    await database.write(downgrade)
    database.close()

    later = Database(migrated(database_url, SCHEMA), SCHEMA)
    reopened = SqlApprovalStore(later)
    assert [await reopened.find(order_id) for order_id in ("requested", "decided")] == written
    assert await reopened.backfill(10) == 1
    await decide(reopened, "requested")
    assert (await reopened.find("requested")).status(NOW) is ApprovalStatus.APPROVED
    later.close()


async def test_an_unknown_order_has_an_empty_case(store: SqlApprovalStore) -> None:
    """Reading an unknown order creates no row."""
    assert await store.find("o-1") == Case("o-1")
    assert await listed(store, None) == []


async def test_a_rejected_change_is_not_written(store: SqlApprovalStore) -> None:
    """A rejected decision leaves the case unchanged."""
    await add_request(store, "o-1")
    await decide(store, "o-1")

    with pytest.raises(AlreadyDecided):
        await decide(store, "o-1", NO)

    found = await store.find("o-1")
    assert found.final is not None
    assert found.final.decision == YES


async def test_one_of_many_concurrent_decisions_stands(store: SqlApprovalStore) -> None:
    """Concurrent decisions about one order are serialized."""
    await add_request(store, "o-1")
    decisions = [Decision(approved=True, approver=f"person {number}") for number in range(20)]

    outcomes = await asyncio.gather(
        *(decide(store, "o-1", decision) for decision in decisions), return_exceptions=True
    )

    assert sum(outcome is None for outcome in outcomes) == 1
    assert sum(isinstance(outcome, AlreadyDecided) for outcome in outcomes) == 19


async def test_only_deliverable_decisions_are_undelivered(store: SqlApprovalStore) -> None:
    """A decision is undelivered from its request's arrival until orders has answered."""
    await add_request(store, "pending")
    await decide(store, "early")
    for order_id in ("due", "taken"):
        await add_request(store, order_id)
        await decide(store, order_id)
    await store.change("taken", lambda case: case.record_handover("taken", NOW))

    assert await store.undelivered() == ["due"]

    await add_request(store, "early")
    assert sorted(await store.undelivered()) == ["due", "early"]


async def test_everything_survives_a_restart(
    database_url: str, database: Database, store: SqlApprovalStore
) -> None:
    """Committed data is available to the next process."""
    await add_request(store, "o-1")
    await decide(store, "o-1")
    written = await store.find("o-1")
    database.close()

    reopened = Database(database_url, FromModels(TABLES))

    assert await SqlApprovalStore(reopened).find("o-1") == written
    reopened.close()


async def test_lists_follow_the_status(store: SqlApprovalStore) -> None:
    """Each list has the approvals with that status now; overdue ones count as expired."""
    await add_request(store, "pending")
    await add_request(store, "overdue", minutes=-5)
    await add_request(store, "expired")
    await add_request(store, "withdrawn")
    await decide(store, "early")
    for order_id, decision in (("approved", YES), ("denied", NO)):
        await add_request(store, order_id)
        await decide(store, order_id, decision)
    for order_id, reason in (("expired", "approval_expired"), ("withdrawn", "failed")):
        await withdraw(store, order_id, reason)

    assert await listed(store, ApprovalStatus.PENDING) == ["pending"]
    assert await listed(store, ApprovalStatus.EXPIRED) == ["expired", "overdue"]
    assert await listed(store, ApprovalStatus.WITHDRAWN) == ["withdrawn"]
    assert await listed(store, ApprovalStatus.APPROVED) == ["approved"]
    assert await listed(store, ApprovalStatus.DENIED) == ["denied"]
    assert len(await listed(store, None)) == 6


async def test_pending_approvals_are_sorted_by_earliest_deadline(store: SqlApprovalStore) -> None:
    """The most urgent comes first, and pages continue correctly among equal deadlines."""
    for order_id, minutes in (("c", 30), ("a", 20), ("b", 20), ("d", 10)):
        await add_request(store, order_id, minutes)

    assert await listed(store, ApprovalStatus.PENDING) == ["d", "a", "b", "c"]
    after = ListPosition(NOW + timedelta(minutes=20), "a")
    assert await listed(store, ApprovalStatus.PENDING, after=after) == ["b", "c"]


async def test_other_lists_are_sorted_by_latest_deadline(store: SqlApprovalStore) -> None:
    """All other lists start with the latest deadline."""
    for order_id, minutes in (("c", 30), ("a", 20), ("b", 20), ("d", 10)):
        await add_request(store, order_id, minutes)

    assert await listed(store, None, limit=3) == ["c", "b", "a"]
    after = ListPosition(NOW + timedelta(minutes=20), "b")
    assert await listed(store, None, after=after) == ["a", "d"]


async def test_the_list_of_pending_approvals_uses_an_index(database: Database) -> None:
    """The cost of a list depends on the page, not on the number of old approvals."""
    query = (
        "EXPLAIN QUERY PLAN SELECT * FROM approvals WHERE status = 'pending' AND expires_at > '1' "
        "ORDER BY expires_at, order_id LIMIT 10"
    )

    plan = await database.read(lambda connection: connection.execute(text(query)).all())

    assert "USING INDEX approvals_by_deadline" in str(plan)
    assert "TEMP B-TREE" not in str(plan)


async def test_an_unavailable_store_raises(database: Database, store: SqlApprovalStore) -> None:
    """A database failure raises an error that leads to a retry or a 503."""
    await database.write(lambda connection: connection.execute(text("DROP TABLE approvals")))

    with pytest.raises(DatabaseUnavailable):
        await store.find("o-1")
    with pytest.raises(DatabaseUnavailable):
        await add_request(store, "o-1")


async def test_each_change_is_a_new_version(store: SqlApprovalStore) -> None:
    """Every written change counts; repeated and rejected ones do not."""
    versions = [await store.version(NOW)]
    for work in (add_request, decide):
        await work(store, "o-1")
        versions.append(await store.version(NOW))
    await decide(store, "o-1")
    with pytest.raises(AlreadyDecided):
        await decide(store, "o-1", NO)
    await add_request(store, "o-2", minutes=5)

    assert [version.change for version in versions] == [0, 1, 2]
    assert [version.deadline for version in versions] == [None, NOW + timedelta(hours=1), None]
    assert await store.version(NOW) == Version(3, NOW + timedelta(minutes=5))
    assert await store.version(NOW + timedelta(minutes=5)) == Version(3, None)


async def test_pending_approvals_are_counted_up_to_a_limit(store: SqlApprovalStore) -> None:
    """The count stops at the limit and excludes expired requests."""
    for number in range(5):
        await add_request(store, f"o-{number}", minutes=number)

    assert await store.count_pending(NOW, 100) == 4
    assert await store.count_pending(NOW, 3) == 3


async def test_several_cases_are_read_together(store: SqlApprovalStore) -> None:
    """Unknown orders are omitted."""
    await add_request(store, "o-1")
    await add_request(store, "o-2")

    found = await store.find_all(["o-2", "o-1", "none"])

    assert sorted(case.order_id for case in found) == ["o-1", "o-2"]
