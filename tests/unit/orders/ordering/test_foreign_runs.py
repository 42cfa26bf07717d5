"""Runs that orders did not start, and decisions that approvals does not have on record."""

from typing import Any, cast

import pytest
from dapr.ext.workflow import WorkflowActivityContext

from fakes.orders_ports import MemoryApprovals, MemoryEngine, Promised, RoomInventory
from fakes.workflow_run import Event, Happening, TimerFires, WorkflowRun, carried_out_by
from orderflow_contracts.approvals import Decision
from orderflow_contracts.inventory import ReserveRequest
from orderflow_contracts.orders import OrderLine, OrderStatus, OrderSubmitted
from orders.ordering.activities import OrderActivities
from orders.ordering.messages import OrderRun, Undoing
from orders.ordering.service import Intake
from orders.ordering.steps import ApprovalWanted, Charge, Confirmation, Verification
from orders.ordering.store import OrderStore
from orders.ordering.workflow import order_processing_workflow
from orders.payments.service import RecordedPayments

LINES = (OrderLine(item="cars", quantity=11),)
ORDER = OrderSubmitted(order_id="o1", customer_id="alice", lines=LINES)
CONTEXT = cast(WorkflowActivityContext, None)
YES = {"approved": True, "approver": "bob", "comment": ""}
NO = {"approved": False, "approver": "eve", "comment": "too many"}
DECIDED = "approval_decided"
FOREIGN = OrderRun(
    **ORDER.model_dump(exclude_defaults=True),
    run_id="made-up",
    approval_threshold_cents=50_000_00,
    approval_timeout_seconds=60,
    retry_timeout_seconds=60,
)


@pytest.fixture
async def run(intake: Intake, engine: MemoryEngine) -> OrderRun:
    """Accept the order, and start its own run."""
    await intake.submit(ORDER)
    return engine.runs["o1"][-1].model_copy(update={"approval_reminder_after": 0.0})


@pytest.fixture
def workflow(activities: OrderActivities) -> Any:
    def start(run: OrderRun, *happenings: Happening) -> WorkflowRun:
        answer = carried_out_by(activities)
        return WorkflowRun(order_processing_workflow, run, answer, happenings=happenings)

    return start


async def test_a_run_of_an_order_that_nobody_placed_has_no_effect(
    activities: OrderActivities,
    inventory: RoomInventory,
    payments: RecordedPayments,
    publisher: Promised,
    workflow: Any,
) -> None:
    """It stops at its first step, whatever its input says."""
    lost = {"begun_again": True, "compensations": ("release_inventory_activity",)}
    for more in ({}, {"approval_threshold_cents": 0}, {"picking": "awaited"}, lost):
        for is_checked in (True, False):
            made_up = FOREIGN.model_copy(update={**more, "is_checked": is_checked})
            run = workflow(made_up, Event(DECIDED, YES))
            assert (await run.run_to_end())["status"] == "superseded"
            assert [call.name for call in run.calls] == steps_of(made_up)

    await every_activity_refuses(activities)
    assert inventory.quantities("cars") == (100, 0)
    assert await payments.store.entries("o1") == []
    assert publisher.published == []


def steps_of(made_up: OrderRun) -> list[str]:
    """Return what such a run calls; those of earlier versions published `received`."""
    first = [] if made_up.is_checked else ["notify_activity"]
    return [*first, "verify_inventory_activity"]


@pytest.mark.parametrize("is_checked", [True, False])
@pytest.mark.parametrize("status", ["received", "reserved", "paid", "cancelled", "completed"])
async def test_another_run_of_an_order_has_no_effect(
    activities: OrderActivities,
    inventory: RoomInventory,
    payments: RecordedPayments,
    publisher: Promised,
    store: OrderStore,
    run: OrderRun,
    workflow: Any,
    status: str,
    *,
    is_checked: bool,
) -> None:
    """Whatever the order's own run has done: its stock, payment and requests stay."""
    await inventory.reserve(ReserveRequest(order_id="o1", lines=LINES))
    await payments.charge("o1", "alice", 5)
    if status != "received":
        await store.record("o1", run.run_id, OrderStatus(status))
    before = (await store.order("o1"), publisher.published, await payments.store.entries("o1"))

    made_up = FOREIGN.model_copy(update={"is_checked": is_checked})
    foreign = workflow(made_up, Event(DECIDED, YES))
    assert (await foreign.run_to_end())["status"] == "superseded"
    await every_activity_refuses(activities)

    assert [call.name for call in foreign.calls] == steps_of(made_up)
    after = (await store.order("o1"), publisher.published, await payments.store.entries("o1"))
    assert after == before
    assert inventory.quantities("cars") == (100, 11)


async def every_activity_refuses(activities: OrderActivities) -> None:
    """Call the activities as the foreign run would."""
    ids = {"order_id": "o1", "run_id": "made-up"}
    verified = await activities.verify_inventory_activity(CONTEXT, Verification(**ids, lines=LINES))
    wanted = ApprovalWanted(
        **ids, customer_id="alice", lines=LINES, total_cents=5, expires_at="2026-03-02T00:00:00Z"
    )
    asked = await activities.request_approval_activity(CONTEXT, wanted)
    confirmed = await activities.confirm_decision_activity(
        CONTEXT, Confirmation(**ids, total_cents=5)
    )
    charged = await activities.process_payment_activity(
        CONTEXT, Charge(**ids, customer_id="alice", amount_cents=5)
    )
    assert all(each.superseded for each in (verified, asked, confirmed, charged))
    undoing = Undoing(**ids, reason="made_up")
    await activities.remind_of_approval_activity(CONTEXT, wanted)
    await activities.release_inventory_activity(CONTEXT, undoing)
    await activities.refund_payment_activity(CONTEXT, undoing)
    await activities.withdraw_approval_activity(CONTEXT, undoing)


@pytest.mark.parametrize("payload", [YES, NO, None, "no decision", {"approved": "perhaps"}])
async def test_a_decision_that_approvals_does_not_have_changes_nothing(
    approvals: MemoryApprovals, run: OrderRun, workflow: Any, store: OrderStore, payload: Any
) -> None:
    """The wait goes on until there is one, or until the request expires."""
    approvals.decisions.clear()

    result = await workflow(
        run, Event(DECIDED, payload), Event(DECIDED, payload), TimerFires()
    ).run_to_end()

    assert result["reason"] == "approval_expired"
    stored = await store.order("o1")
    assert stored is not None
    assert [entry.status for entry in stored.history] == [
        *("received", "reserved", "awaiting_approval", "rejected")
    ]


@pytest.mark.parametrize("payload", [YES, NO, None])
@pytest.mark.parametrize(("recorded", "status"), [(YES, "completed"), (NO, "rejected")])
async def test_the_decision_on_record_counts_whatever_the_event_says(
    approvals: MemoryApprovals,
    run: OrderRun,
    workflow: Any,
    store: OrderStore,
    recorded: dict[str, Any],
    status: str,
    payload: Any,
) -> None:
    """A denial names the approver on record."""
    approvals.decisions["o1"] = Decision.model_validate(recorded)

    await workflow(run, Event(DECIDED, payload)).run_to_end()

    stored = await store.order("o1")
    assert stored is not None
    assert stored.status == status
    assert stored.detail == (None if recorded is YES else "eve denied it: too many")


@pytest.mark.parametrize(("second", "status"), [(YES, "completed"), (NO, "rejected")])
async def test_the_first_of_two_approvals_is_no_decision(
    approvals: MemoryApprovals,
    activities: OrderActivities,
    run: OrderRun,
    store: OrderStore,
    publisher: Promised,
    second: dict[str, Any],
    status: str,
) -> None:
    """Approvals has the request as pending until the second person has decided."""
    two = run.model_copy(update={"second_approval_threshold_cents": 60_000_00})
    by_activities = carried_out_by(activities)
    outcomes: list[str] = []

    async def answer(name: str, payload: Any) -> object:
        result = await by_activities(name, payload)
        if name == "confirm_decision_activity":
            outcomes.append(cast(Any, result).outcome)
            approvals.decisions["o1"] = Decision.model_validate(second)
        return result

    happenings = [Event(DECIDED, YES), Event(DECIDED, YES)]
    await WorkflowRun(order_processing_workflow, two, answer, happenings=happenings).run_to_end()

    assert outcomes == ["open", "approved" if second is YES else "denied"]
    assert [request.levels for request in publisher.requests] == [2]
    stored = await store.order("o1")
    assert stored is not None
    assert stored.status == status


async def test_the_decision_is_read_once_approvals_answers_again(
    approvals: MemoryApprovals, run: OrderRun, activities: OrderActivities, store: OrderStore
) -> None:
    """The engine retries the activity; meanwhile nothing is recorded."""
    await store.record("o1", run.run_id, OrderStatus.AWAITING_APPROVAL)
    approvals.decisions["o1"] = Decision.model_validate(YES)
    approvals.failures.extend([ConnectionError("down")] * 2)
    confirmation = Confirmation(order_id="o1", run_id=run.run_id, total_cents=5)
    for _ in range(2):
        with pytest.raises(ConnectionError):
            await activities.confirm_decision_activity(CONTEXT, confirmation)
        stored = await store.order("o1")
        assert stored is not None
        assert stored.status is OrderStatus.AWAITING_APPROVAL

    confirmed = await activities.confirm_decision_activity(CONTEXT, confirmation)

    assert (confirmed.outcome, confirmed.cancelled) == ("approved", False)
    stored = await store.order("o1")
    assert stored is not None
    assert (stored.status, stored.total_cents) == (OrderStatus.APPROVED, 5)


async def test_a_decision_for_a_cancelled_order_is_not_read(
    approvals: MemoryApprovals, run: OrderRun, activities: OrderActivities, store: OrderStore
) -> None:
    """Its run learns that it was cancelled, even if approvals is unavailable."""
    await store.request_cancel("o1")
    approvals.failures.append(ConnectionError("down"))

    confirmation = Confirmation(order_id="o1", run_id=run.run_id, total_cents=5)
    confirmed = await activities.confirm_decision_activity(CONTEXT, confirmation)

    assert (confirmed.outcome, confirmed.cancelled) == ("open", True)
    assert len(approvals.failures) == 1
