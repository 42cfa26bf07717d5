"""What the doctor of approvals finds."""

from datetime import timedelta

import pytest

from approvals.decisions.store import SqlApprovalStore
from approvals.doctor import PATIENCE, UndeliveredDecisions
from orderflow_contracts.approvals import ApprovalRequested, DecisionMade
from orderflow_contracts.fields import now
from orderflow_contracts.orders import OrderLine
from orderflow_hosting.database import Database


@pytest.fixture
async def ready(database: Database) -> Database:
    await database.ready()
    return database


async def test_an_undelivered_decision_is_found_after_a_minute(
    ready: Database, store: SqlApprovalStore
) -> None:
    """Before that it is on its way, and once orders has it nothing is found."""
    moment = now()
    check = UndeliveredDecisions(ready, clock=lambda: moment)
    request = ApprovalRequested(
        order_id="o1",
        customer_id="alice",
        lines=(OrderLine(item="cars", quantity=4),),
        total_cents=60_000_00,
        expires_at=moment + timedelta(hours=1),
    )
    decision = DecisionMade(order_id="o1", approved=True, approver="bob")
    decided_at = moment
    await store.change("o1", lambda case: case.add_request(request, decided_at))
    await store.change("o1", lambda case: case.decide(decision, decided_at))

    assert (await check.page(None)).disagreements == []
    moment += PATIENCE + timedelta(seconds=1)
    found = (await check.page(None)).disagreements
    assert [(each.kind.name, each.about) for each in found] == [
        ("decision_not_delivered", "order o1")
    ]
    assert [each.about for each in await check.of("o1")] == ["order o1"]
    assert await check.of("o2") == []

    await store.change("o1", lambda case: case.record_handover("taken", decided_at))
    assert (await check.page(None)).disagreements == []
