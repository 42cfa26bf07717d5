import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import Connection, text

from approvals.domain import Case, DecisionStands
from approvals.migrations import SCHEMA
from approvals.store import Place, SqlApprovalStore, Version
from approvals.tables import TABLES
from fakes.schemas import FromModels, migrated
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


async def ask(store: SqlApprovalStore, order_id: str, minutes: int = 60) -> None:
    await store.change(order_id, lambda case: case.ask(request(order_id, minutes), NOW))


async def decide(store: SqlApprovalStore, order_id: str, decision: Decision = YES) -> None:
    await store.change(order_id, lambda case: case.decide(decision, NOW))


async def withdraw(store: SqlApprovalStore, order_id: str, reason: str) -> None:
    withdrawal = ApprovalWithdrawn(order_id=order_id, reason=reason)
    await store.change(order_id, lambda case: case.withdraw(withdrawal, NOW))


async def listed(
    store: SqlApprovalStore,
    status: ApprovalStatus | None,
    limit: int = 100,
    after: Place | None = None,
) -> list[str]:
    return [case.order_id for case in await store.list(status, NOW, limit, after)]


async def test_a_case_is_read_as_it_was_written(store: SqlApprovalStore) -> None:
    """Request, decision, its handover and the end all come back, to the microsecond."""
    withdrawal = ApprovalWithdrawn(order_id="o-1", reason="approval_expired")

    await ask(store, "o-1")
    await decide(store, "o-1")
    _, written = await store.change("o-1", lambda case: case.withdraw(withdrawal, NOW))

    assert await store.find("o-1") == written
    assert written.made is not None
    assert written.made.outcome == "too_late"


async def test_both_approvals_are_read_as_they_were_written(store: SqlApprovalStore) -> None:
    """Where two must approve, the first is kept beside the one that concludes."""
    both = request("o-1").model_copy(update={"levels": 2})
    await store.change("o-1", lambda case: case.ask(both, NOW))
    await decide(store, "o-1")

    assert await store.undelivered() == []
    assert await listed(store, ApprovalStatus.PENDING) == ["o-1"]
    await decide(store, "o-1", Decision(approved=True, approver="bob"))

    found = await store.find("o-1")
    assert found.endorsed is not None
    assert found.endorsed.decision == YES
    assert found.asked is not None
    assert found.asked.request == both
    assert await store.undelivered() == ["o-1"]


async def test_two_who_approve_at_once_are_two(store: SqlApprovalStore) -> None:
    """Approvals that race are taken in one after the other: two conclude, the rest are refused."""
    both = request("o-1").model_copy(update={"levels": 2})
    await store.change("o-1", lambda case: case.ask(both, NOW))
    decisions = [Decision(approved=True, approver=f"person {number}") for number in range(20)]

    outcomes = await asyncio.gather(
        *(decide(store, "o-1", decision) for decision in decisions), return_exceptions=True
    )

    assert sum(outcome is None for outcome in outcomes) == 2
    assert (await store.find("o-1")).status(NOW) is ApprovalStatus.APPROVED


async def test_the_table_of_an_earlier_version_is_used_on(
    database_url: str, database: Database, store: SqlApprovalStore
) -> None:
    """What was asked and decided before there were levels reads as wanting one approval."""
    await ask(store, "asked")
    await ask(store, "decided")
    await decide(store, "decided")
    written = [await store.find(order_id) for order_id in ("asked", "decided")]

    def go_back(connection: Connection) -> None:
        for index in ("change", "customer", "approver", "endorser", "outcome"):
            connection.execute(text(f"DROP INDEX approvals_by_{index}"))
        for index in ("concluded", "incomplete"):
            connection.execute(text(f"DROP INDEX approvals_{index}"))
        for column in ("levels", "endorser", "endorsement", "endorsed_at", *NEWEST):
            connection.execute(text(f"ALTER TABLE approvals DROP COLUMN {column}"))

    await database.write(go_back)
    database.close()

    later = Database(migrated(database_url, SCHEMA), SCHEMA)
    reopened = SqlApprovalStore(later)
    assert [await reopened.find(order_id) for order_id in ("asked", "decided")] == written
    assert await reopened.complete(10) == 1
    await decide(reopened, "asked")
    assert (await reopened.find("asked")).status(NOW) is ApprovalStatus.APPROVED
    later.close()


async def test_an_unknown_order_has_an_empty_case(store: SqlApprovalStore) -> None:
    """Reading an order for which nothing came makes no row."""
    assert await store.find("o-1") == Case("o-1")
    assert await listed(store, None) == []


async def test_what_the_rules_refuse_is_not_written(store: SqlApprovalStore) -> None:
    """A refused decision leaves the case as it was."""
    await ask(store, "o-1")
    await decide(store, "o-1")

    with pytest.raises(DecisionStands):
        await decide(store, "o-1", NO)

    found = await store.find("o-1")
    assert found.made is not None
    assert found.made.decision == YES


async def test_of_many_decisions_at_once_one_stands(store: SqlApprovalStore) -> None:
    """Decisions that race for one order are taken in one after the other."""
    await ask(store, "o-1")
    decisions = [Decision(approved=True, approver=f"person {number}") for number in range(20)]

    outcomes = await asyncio.gather(
        *(decide(store, "o-1", decision) for decision in decisions), return_exceptions=True
    )

    assert sum(outcome is None for outcome in outcomes) == 1
    assert sum(isinstance(outcome, DecisionStands) for outcome in outcomes) == 19


async def test_only_what_can_be_delivered_is_undelivered(store: SqlApprovalStore) -> None:
    """A decision is due once its request is here, until orders has answered."""
    await ask(store, "pending")
    await decide(store, "kept")
    for order_id in ("due", "taken"):
        await ask(store, order_id)
        await decide(store, order_id)
    await store.change("taken", lambda case: case.handed_over("taken", NOW))

    assert await store.undelivered() == ["due"]

    await ask(store, "kept")
    assert sorted(await store.undelivered()) == ["due", "kept"]


async def test_everything_survives_a_restart(
    database_url: str, database: Database, store: SqlApprovalStore
) -> None:
    """What was committed is there for the next process."""
    await ask(store, "o-1")
    await decide(store, "o-1")
    written = await store.find("o-1")
    database.close()

    reopened = Database(database_url, FromModels(TABLES))

    assert await SqlApprovalStore(reopened).find("o-1") == written
    reopened.close()


async def test_lists_follow_the_status(store: SqlApprovalStore) -> None:
    """Each list holds what has that status now; a passed deadline counts as expired."""
    await ask(store, "pending")
    await ask(store, "passed", minutes=-5)
    await ask(store, "expired")
    await ask(store, "withdrawn")
    await decide(store, "kept")
    for order_id, decision in (("approved", YES), ("denied", NO)):
        await ask(store, order_id)
        await decide(store, order_id, decision)
    for order_id, reason in (("expired", "approval_expired"), ("withdrawn", "failed")):
        await withdraw(store, order_id, reason)

    assert await listed(store, ApprovalStatus.PENDING) == ["pending"]
    assert await listed(store, ApprovalStatus.EXPIRED) == ["expired", "passed"]
    assert await listed(store, ApprovalStatus.WITHDRAWN) == ["withdrawn"]
    assert await listed(store, ApprovalStatus.APPROVED) == ["approved"]
    assert await listed(store, ApprovalStatus.DENIED) == ["denied"]
    assert len(await listed(store, None)) == 6


async def test_pending_ones_come_with_the_nearest_deadline_first(store: SqlApprovalStore) -> None:
    """The most urgent is the first; a page goes on after a place, also among equals."""
    for order_id, minutes in (("c", 30), ("a", 20), ("b", 20), ("d", 10)):
        await ask(store, order_id, minutes)

    assert await listed(store, ApprovalStatus.PENDING) == ["d", "a", "b", "c"]
    after = Place(NOW + timedelta(minutes=20), "a")
    assert await listed(store, ApprovalStatus.PENDING, after=after) == ["b", "c"]


async def test_other_lists_come_with_the_latest_deadline_first(store: SqlApprovalStore) -> None:
    """Looking back, what ended last is wanted first."""
    for order_id, minutes in (("c", 30), ("a", 20), ("b", 20), ("d", 10)):
        await ask(store, order_id, minutes)

    assert await listed(store, None, limit=3) == ["c", "b", "a"]
    after = Place(NOW + timedelta(minutes=20), "b")
    assert await listed(store, None, after=after) == ["a", "d"]


async def test_the_list_of_pending_ones_reads_an_index(database: Database) -> None:
    """What a list costs depends on its page, not on the approvals that are long done."""
    query = (
        "EXPLAIN QUERY PLAN SELECT * FROM approvals WHERE status = 'pending' AND expires_at > '1' "
        "ORDER BY expires_at, order_id LIMIT 10"
    )

    plan = await database.read(lambda connection: connection.execute(text(query)).all())

    assert "USING INDEX approvals_by_deadline" in str(plan)
    assert "TEMP B-TREE" not in str(plan)


async def test_a_store_that_is_away_says_so(database: Database, store: SqlApprovalStore) -> None:
    """A failing database is told as such, so that events are retried and people get a 503."""
    await database.write(lambda connection: connection.execute(text("DROP TABLE approvals")))

    with pytest.raises(DatabaseUnavailable):
        await store.find("o-1")
    with pytest.raises(DatabaseUnavailable):
        await ask(store, "o-1")


async def test_each_change_is_another_version(store: SqlApprovalStore) -> None:
    """Whatever is written counts up; what changes nothing, or is refused, does not."""
    versions = [await store.version(NOW)]
    for work in (ask, decide):
        await work(store, "o-1")
        versions.append(await store.version(NOW))
    await decide(store, "o-1")
    with pytest.raises(DecisionStands):
        await decide(store, "o-1", NO)
    await ask(store, "o-2", minutes=5)

    assert [version.change for version in versions] == [0, 1, 2]
    assert [version.deadline for version in versions] == [None, NOW + timedelta(hours=1), None]
    assert await store.version(NOW) == Version(3, NOW + timedelta(minutes=5))
    assert await store.version(NOW + timedelta(minutes=5)) == Version(3, None)


async def test_pending_ones_are_counted_up_to_a_limit(store: SqlApprovalStore) -> None:
    """A count costs no more than its limit, and leaves out what has expired."""
    for number in range(5):
        await ask(store, f"o-{number}", minutes=number)

    assert await store.count_pending(NOW, 100) == 4
    assert await store.count_pending(NOW, 3) == 3


async def test_several_are_found_at_once(store: SqlApprovalStore) -> None:
    """Those of which nothing is known are left out."""
    await ask(store, "o-1")
    await ask(store, "o-2")

    found = await store.find_all(["o-2", "o-1", "none"])

    assert sorted(case.order_id for case in found) == ["o-1", "o-2"]
