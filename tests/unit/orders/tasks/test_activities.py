"""The activities of tasks, and of an order's task: each may run twice."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast

import pytest
from dapr.ext.workflow import WorkflowActivityContext

from fakes.orders_ports import MemoryEngine
from orderflow_contracts.orders import OrderLine, OrderStatus, OrderSubmitted
from orderflow_contracts.tasks import TaskStatus
from orderflow_hosting.database import Database
from orderflow_workflow_runtime.ports import EngineUnavailable
from orders.ordering.messages import Recorded, Undoing
from orders.ordering.picking import PickingActivities
from orders.ordering.steps import Handover
from orders.ordering.store import OrderStore
from orders.tasks.activities import AssigneeUnavailable, TaskActivities
from orders.tasks.messages import TaskEnd, TaskOrder
from orders.tasks.store import TaskStore

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
SWEEP = TaskOrder(task_id="t1", title="Sweep")
PICK = TaskOrder(task_id="pick-o1", title="Pick 2 cars for order o1", order_id="o1")
HANDOVER = Handover(order_id="o1", run_id="run", total_cents=5, task=PICK)
UNDOING = Undoing(order_id="o1", run_id="run", reason="cancelled_on_request")


@dataclass
class Context:
    workflow_id: str = "i1"


def context(instance_id: str = "i1") -> WorkflowActivityContext:
    return cast(WorkflowActivityContext, Context(instance_id))


@pytest.fixture
def tasks(database: Database) -> TaskStore:
    return TaskStore(database)


@pytest.fixture
def steps(tasks: TaskStore) -> TaskActivities:
    return TaskActivities(tasks, ["warehouse"])


@pytest.fixture
def picking(store: OrderStore, tasks: TaskStore, engine: MemoryEngine) -> PickingActivities:
    return PickingActivities(store, tasks, engine)


@pytest.fixture
async def paid(store: OrderStore) -> None:
    lines = (OrderLine(item="cars", quantity=2),)
    await store.accept(OrderSubmitted(order_id="o1", customer_id="alice", lines=lines))
    await store.record("o1", "run", OrderStatus.PAID, total_cents=5)


async def status_of(tasks: TaskStore, task_id: str) -> str | None:
    task = await tasks.task(task_id)
    return task.status if task else None


async def test_validating_a_task_is_idempotent(steps: TaskActivities, tasks: TaskStore) -> None:
    """The task is recorded before it is assigned."""
    for _ in range(2):
        assert (await steps.validate_task(context(), SWEEP)).valid

    assert await status_of(tasks, "t1") == "received"


async def test_a_task_id_in_use_is_not_valid(steps: TaskActivities, tasks: TaskStore) -> None:
    """It belongs to the first instance, whose task goes on."""
    await steps.validate_task(context(), SWEEP)

    checked = await steps.validate_task(context("i2"), SWEEP)

    assert (checked.valid, checked.ended) == (False, None)
    assert "i1" in checked.reason
    assert await status_of(tasks, "t1") == "received"


@pytest.mark.parametrize("title", ["", "  "])
async def test_a_task_needs_a_title(steps: TaskActivities, tasks: TaskStore, title: str) -> None:
    """Without one it is recorded as rejected."""
    checked = await steps.validate_task(context(), SWEEP.model_copy(update={"title": title}))

    assert (checked.valid, checked.reason) == (False, "the title is empty")
    assert await status_of(tasks, "t1") == "rejected"


async def test_validating_an_ended_task_returns_its_end(
    steps: TaskActivities, tasks: TaskStore
) -> None:
    """A lost instance that is started again gets the recorded end."""
    await steps.validate_task(context(), SWEEP)
    await tasks.end("t1", TaskStatus.COMPLETED, AT)

    checked = await steps.validate_task(context(), SWEEP)

    assert checked.ended is not None
    assert checked.ended.completed_at == "2026-03-01T12:00:00Z"


async def test_ids_of_picking_tasks_are_reserved(steps: TaskActivities, tasks: TaskStore) -> None:
    """Nothing can block the id of an order's task."""
    assert not (await steps.validate_task(context("pick-o1"), PICK)).valid
    assert await status_of(tasks, "pick-o1") is None
    assert (await steps.validate_task(context("pick.o1"), PICK)).valid


async def test_a_test_assignee_refuses_the_named_number_of_times(steps: TaskActivities) -> None:
    """This makes retries visible; the count starts anew with each task."""
    for task_id in ("t1", "t2"):
        order = TaskOrder(task_id=task_id, title="Sweep", assignee="test-unavailable-2")
        await steps.validate_task(context(), order)
        for _ in range(2):
            with pytest.raises(AssigneeUnavailable):
                await steps.assign_task(context(), order)
        for _ in range(2):
            assigned = await steps.assign_task(context(), order)
            assert assigned.assignee == "test-unavailable-2"


@pytest.mark.parametrize(
    ("step", "status"),
    [
        ("send_completion_notification", TaskStatus.COMPLETED),
        ("notify_timeout", TaskStatus.TIMED_OUT),
        ("end_task", TaskStatus.FAILED),
    ],
)
async def test_an_end_is_recorded_once(
    steps: TaskActivities, tasks: TaskStore, step: str, status: TaskStatus
) -> None:
    """Later calls return the recorded end."""
    await steps.validate_task(context(), SWEEP)
    end = TaskEnd(task_id="t1", status=status)

    results = [await getattr(steps, step)(context(), end) for _ in range(2)]

    assert [result.status for result in results] == [status, status]
    assert await status_of(tasks, "t1") == status


# An order's task


@pytest.mark.usefixtures("paid")
async def test_a_task_is_handed_over_once(picking: PickingActivities, engine: MemoryEngine) -> None:
    """Repetitions while it runs and afterwards have no effect."""
    for _ in range(2):
        done = await picking.hand_to_warehouse_activity(context(), HANDOVER)
        assert done == Recorded()
    engine.active.clear()
    await picking.hand_to_warehouse_activity(context(), HANDOVER)

    assert engine.tasks == {"pick.o1": PICK}
    assert engine.active == set()


@pytest.mark.usefixtures("paid")
async def test_a_known_task_is_not_started_again(
    picking: PickingActivities, tasks: TaskStore, engine: MemoryEngine
) -> None:
    """The engine may have purged its instance."""
    await tasks.receive("pick-o1", "pick.o1", "Pick")

    await picking.hand_to_warehouse_activity(context(), HANDOVER)

    assert engine.tasks == {}


@pytest.mark.usefixtures("paid")
async def test_a_cancelled_order_gets_no_task(
    picking: PickingActivities, store: OrderStore, engine: MemoryEngine
) -> None:
    """Nor does an order that another run owns."""
    other = HANDOVER.model_copy(update={"run_id": "run-2"})
    assert (await picking.hand_to_warehouse_activity(context(), other)).superseded
    await store.request_cancel("o1")
    assert (await picking.hand_to_warehouse_activity(context(), HANDOVER)).cancelled

    assert engine.tasks == {}


@pytest.mark.usefixtures("paid")
async def test_a_handover_is_retried_while_the_engine_is_unavailable(
    picking: PickingActivities, engine: MemoryEngine
) -> None:
    """The activity fails, so that the engine retries it."""
    engine.is_down = True

    with pytest.raises(EngineUnavailable):
        await picking.hand_to_warehouse_activity(context(), HANDOVER)


@pytest.mark.usefixtures("paid")
async def test_withdrawing_a_task_is_recorded_and_sent_to_its_workflow(
    picking: PickingActivities, steps: TaskActivities, tasks: TaskStore, engine: MemoryEngine
) -> None:
    """A repetition has no further effect."""
    await picking.hand_to_warehouse_activity(context(), HANDOVER)
    await steps.validate_task(context("pick.o1"), PICK)

    for _ in range(2):
        await picking.withdraw_task_activity(context(), UNDOING)

    assert await status_of(tasks, "pick-o1") == "withdrawn"
    assert engine.raised[0] == ("pick.o1", "task_withdrawn", "cancelled_on_request")


@pytest.mark.usefixtures("paid")
async def test_a_withdrawal_prevents_a_later_start(
    picking: PickingActivities, steps: TaskActivities, engine: MemoryEngine
) -> None:
    """A late handover starts nothing, and a late child workflow ends at once."""
    await picking.withdraw_task_activity(context(), UNDOING)
    await picking.hand_to_warehouse_activity(context(), HANDOVER)
    checked = await steps.validate_task(context("pick.o1"), PICK)

    assert engine.tasks == {}
    assert checked.ended is not None
    assert checked.ended.status == "withdrawn"


@pytest.mark.usefixtures("paid")
async def test_a_completed_task_cannot_be_withdrawn(
    picking: PickingActivities, tasks: TaskStore, engine: MemoryEngine
) -> None:
    """There is nothing to withdraw."""
    await tasks.receive("pick-o1", "pick.o1", "Pick")
    await tasks.end("pick-o1", TaskStatus.COMPLETED, AT)

    await picking.withdraw_task_activity(context(), UNDOING)

    assert await status_of(tasks, "pick-o1") == "completed"
    assert engine.raised == []


@pytest.mark.usefixtures("paid")
async def test_a_run_that_does_not_own_the_order_withdraws_nothing(
    picking: PickingActivities, tasks: TaskStore
) -> None:
    """The owner's task stays."""
    other: Any = UNDOING.model_copy(update={"run_id": "run-2"})
    await picking.withdraw_task_activity(context(), other)

    assert await tasks.task("pick-o1") is None
