"""The rollback of an order whose workflow was terminated or has failed."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from fakes.orders_ports import MemoryEngine, RoomInventory
from fakes.pauses import short_pause
from fakes.waiting import until
from fakes.workflow_run import WorkflowRun, carried_out_by
from orderflow_contracts.inventory import ReserveRequest
from orderflow_contracts.orders import OrderLine, OrderStatus, OrderSubmitted, Reason
from orderflow_hosting.background import BackgroundWork
from orderflow_workflow_runtime.instances import Instance, RuntimeStatus
from orderflow_workflow_runtime.ports import AlreadyRunning, EngineUnavailable
from orders.config import OrdersSettings
from orders.ordering.actions import Action
from orders.ordering.activities import OrderActivities
from orders.ordering.feed import StatusFeed
from orders.ordering.messages import Undone
from orders.ordering.new_runs import NewRuns
from orders.ordering.records import undoes
from orders.ordering.service import Intake
from orders.ordering.steps import COMPENSATIONS
from orders.ordering.store import OrderStore
from orders.ordering.undo import OrderUndo
from orders.ordering.undo_workflow import order_undo_workflow
from orders.payments.service import RecordedPayments

ORDER = OrderSubmitted(
    order_id="o1", customer_id="alice", lines=(OrderLine(item="cars", quantity=4),)
)
UNDONE = Undone(
    order_id="o1",
    run_id="undo-run",
    status=OrderStatus.CANCELLED,
    reason=Reason.TERMINATED_BY_OPERATOR,
    total_cents=60_000_00,
    received_at=datetime(2026, 3, 1, tzinfo=UTC),
)
RELEASE, REFUND = "release_inventory_activity", "refund_payment_activity"
WITHDRAW, NOTIFY = "withdraw_approval_activity", "notify_activity"


@pytest.fixture
def next_process(
    settings: OrdersSettings,
    store: OrderStore,
    engine: MemoryEngine,
    feed: StatusFeed,
    new_runs: NewRuns,
) -> Callable[[], Intake]:
    undo = OrderUndo(engine, store)
    return lambda: Intake(
        *(settings, store, engine, feed, undo, BackgroundWork(short_pause)), new_runs=new_runs
    )


# The workflow


def undoing(*failing: str) -> WorkflowRun:
    async def answer(name: str, payload: Any) -> object:  # noqa: ARG001 # an answer's signature
        if name in failing:
            raise ConnectionError("does not answer")
        return {}

    return WorkflowRun(order_undo_workflow, UNDONE, answer)


async def test_everything_is_undone_newest_first_and_the_end_published() -> None:
    """It is unknown which steps ran, and every compensation is harmless."""
    run = undoing()

    assert await run.run_to_end() == {"order_id": "o1", "status": "cancelled"}

    assert [call.name for call in run.calls] == [WITHDRAW, REFUND, RELEASE, NOTIFY]
    notice = run.calls[-1].input
    assert (notice["status"], notice["reason"]) == ("cancelled", "terminated_by_operator")
    assert (notice["run_id"], notice["total_cents"]) == ("undo-run", 60_000_00)


@pytest.mark.parametrize("failing", [WITHDRAW, REFUND, RELEASE])
async def test_a_failed_compensation_needs_attention(failing: str) -> None:
    """The other steps are undone all the same."""
    run = undoing(failing)

    assert await run.run_to_end() == {"order_id": "o1", "status": "needs_attention"}

    assert [call.name for call in run.calls] == [WITHDRAW, REFUND, RELEASE, NOTIFY]
    assert run.calls[-1].input["reason"] == "undo_failed"


@pytest.mark.parametrize("action", COMPENSATIONS, ids=lambda action: action.name)
async def test_a_stopped_order_is_rolled_back_by_every_declared_compensation(
    engine: MemoryEngine, store: OrderStore, action: Action
) -> None:
    """If the engine no longer knows the run, it may have taken every step."""
    await store.accept(ORDER)
    await OrderUndo(engine, store).undo("o1", None)

    async def answer(_: str, __: Any) -> object:
        return {}

    run = WorkflowRun(order_undo_workflow, engine.undone[0], answer)
    await run.run_to_end()

    called = [call.name for call in run.calls]
    assert called.count(action.activity) == 1
    assert called == [*(each.activity for each in reversed(COMPENSATIONS)), NOTIFY]


# On real tables and stock


@pytest.mark.parametrize("paid", [False, True])
@pytest.mark.parametrize("committed", [False, True])
async def test_an_order_is_rolled_back_wherever_it_was_stopped(
    activities: OrderActivities,
    engine: MemoryEngine,
    inventory: RoomInventory,
    payments: RecordedPayments,
    store: OrderStore,
    *,
    paid: bool,
    committed: bool,
) -> None:
    """Stock is returned, even if it was shipped, and payments are refunded."""
    await store.accept(ORDER)
    await inventory.reserve(ReserveRequest(order_id="o1", lines=ORDER.lines))
    await store.record("o1", "run", OrderStatus.RESERVED, total_cents=60_000_00)
    if paid:
        await payments.charge("o1", "alice", 60_000_00)
        await store.record("o1", "run", OrderStatus.PAID, total_cents=60_000_00)
    if committed:
        await inventory.commit("o1")
    assert await OrderUndo(engine, store).undo("o1", stopped(RuntimeStatus.TERMINATED))
    run = WorkflowRun(order_undo_workflow, engine.undone[0], carried_out_by(activities))

    await run.run_to_end()

    order = await store.order("o1")
    assert order is not None
    assert (order.status, order.reason) == (OrderStatus.CANCELLED, Reason.TERMINATED_BY_OPERATOR)
    assert inventory.quantities("cars") == (100, 0)
    entries = [(entry.kind, entry.amount_cents) for entry in await payments.store.entries("o1")]
    charges = [amount for kind, amount in entries if kind == "charge"]
    refunds = [amount for kind, amount in entries if kind == "refund"]
    assert sum(charges) == sum(refunds) == (60_000_00 if paid else 0)


# Starting it


def stopped(status: RuntimeStatus) -> Instance:
    at = datetime(2026, 3, 1, tzinfo=UTC)
    return Instance(
        instance_id="o1",
        name="order_processing_workflow",
        runtime_status=status,
        created_at=at,
        last_updated_at=at,
    )


@pytest.mark.parametrize(
    ("status", "end", "reason"),
    [
        (RuntimeStatus.TERMINATED, OrderStatus.CANCELLED, Reason.TERMINATED_BY_OPERATOR),
        (RuntimeStatus.FAILED, OrderStatus.FAILED, Reason.WORKFLOW_FAILED),
    ],
)
async def test_the_next_process_rolls_back_an_order_with_a_stopped_workflow(
    intake: Intake,
    next_process: Callable[[], Intake],
    engine: MemoryEngine,
    store: OrderStore,
    status: RuntimeStatus,
    end: OrderStatus,
    reason: Reason,
) -> None:
    """Terminated or failed, the workflow is not started again."""
    await intake.submit(ORDER)
    engine.active.clear()
    engine.ended_as = status

    following = next_process()
    await following.resume()
    await until(lambda: len(engine.undone) == 1)
    await following._background.stop()

    undone = engine.undone[0]
    assert (undone.order_id, undone.status, undone.reason) == ("o1", end, reason)
    assert len(engine.runs["o1"]) == 1
    kept = (await store.unfinished())[0]
    assert kept.run_id == undone.run_id
    assert undoes(kept.run_id)


async def test_an_ended_order_is_not_rolled_back(engine: MemoryEngine, store: OrderStore) -> None:
    """Nor is an unknown one."""
    await store.accept(ORDER)
    await store.record("o1", "run", OrderStatus.COMPLETED)
    undo = OrderUndo(engine, store)

    assert not await undo.undo("o1", stopped(RuntimeStatus.TERMINATED))
    assert not await undo.undo("o2", None)

    assert engine.undone == []


async def test_a_rollback_start_with_a_lost_response_is_repeated_with_the_same_id(
    engine: MemoryEngine, store: OrderStore
) -> None:
    """Both starts have the same run, so that the second finds the effects of the first."""
    await store.accept(ORDER)
    undo = OrderUndo(engine, store)

    await undo.undo("o1", stopped(RuntimeStatus.TERMINATED))
    await undo.undo("o1", stopped(RuntimeStatus.TERMINATED))

    first, second = engine.undone
    assert first == second


async def test_an_order_in_rollback_is_not_restarted_without_its_history(
    next_process: Callable[[], Intake], engine: MemoryEngine, store: OrderStore
) -> None:
    """Otherwise an order without an instance would be taken for one that the engine lost."""
    await store.accept(ORDER)
    await store.hand_to_undo("o1")

    following = next_process()
    await following.resume()
    await until(lambda: len(engine.undone) == 1)
    await following._background.stop()

    assert engine.runs == {}


class Busy(MemoryEngine):
    """An engine where the rollback's id is in use."""

    def __init__(self, by: str) -> None:
        super().__init__()
        self._by = by

    async def start(self, workflow: str, instance_id: str, payload: Any) -> None:  # noqa: ARG002
        raise AlreadyRunning(instance_id)

    async def instance(self, instance_id: str, *, payloads: bool = True) -> Instance | None:  # noqa: ARG002
        return stopped(RuntimeStatus.RUNNING).model_copy(update={"name": self._by})


async def test_a_running_rollback_is_not_started_again(store: OrderStore) -> None:
    """The process may have been killed right after it started it."""
    await store.accept(ORDER)

    assert await OrderUndo(Busy("order_undo_workflow"), store).undo("o1", None)


async def test_a_rollback_whose_id_is_in_use_is_retried(store: OrderStore) -> None:
    """Another workflow with this id does not count as the rollback."""
    await store.accept(ORDER)

    with pytest.raises(EngineUnavailable, match=r"is active as undo\.o1"):
        await OrderUndo(Busy("interactive_hello_workflow"), store).undo("o1", None)


# The warehouse's task


async def test_the_task_is_withdrawn_first() -> None:
    """It may be the newest effect of an order with picking."""

    async def answer(name: str, payload: Any) -> object:  # noqa: ARG001 # an answer's signature
        return {}

    run = WorkflowRun(
        order_undo_workflow, UNDONE.model_copy(update={"withdraws_task": True}), answer
    )
    await run.run_to_end()

    assert [call.name for call in run.calls][:2] == ["withdraw_task_activity", WITHDRAW]


def test_a_rollback_of_an_earlier_version_withdraws_no_task() -> None:
    """Neither its input nor its history has one."""
    old = UNDONE.model_dump(mode="json", exclude={"withdraws_task"})

    assert not Undone.model_validate(old).withdraws_task


@pytest.mark.parametrize(
    ("given", "withdraws"),
    [
        ({"picking": "awaited"}, True),
        ({"picking": "handed_over"}, True),
        ({"picking": "off"}, False),
        ({"picking": "off", "begun_again": True}, True),
        ({}, False),
    ],
)
async def test_the_stopped_runs_input_says_whether_there_may_be_a_task(
    engine: MemoryEngine, store: OrderStore, given: dict[str, str], *, withdraws: bool
) -> None:
    """After a lost run there may always be one; the current settings do not matter."""
    await store.accept(ORDER)
    stopped = Instance(
        instance_id="o1",
        name="order_processing_workflow",
        runtime_status=RuntimeStatus.TERMINATED,
        created_at=UNDONE.received_at,
        last_updated_at=UNDONE.received_at,
        input=given,
    )

    await OrderUndo(engine, store).undo("o1", stopped)

    undone = engine.undone[0].compensations
    assert undone is not None
    assert ("withdraw_task_activity" in undone) is withdraws
