"""A new run carries on an order whose run is lost or cannot go on."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from dapr.ext.workflow._durabletask.internal import protos

from fakes.orders_ports import MemoryEngine
from orderflow_contracts.fields import now
from orderflow_contracts.orders import OrderLine, OrderStatus, OrderSubmitted
from orderflow_hosting.database import Database
from orderflow_workflow_runtime.examining import SEEN_AGAIN, Examiner, Finding, Kind
from orderflow_workflow_runtime.histories import Recording
from orderflow_workflow_runtime.ports import EngineUnavailable
from orderflow_workflow_runtime.upstream.late_results import first_action_of
from orders.config import OrdersSettings
from orders.ordering.damaged import DamagedRuns
from orders.ordering.new_runs import NewRuns
from orders.ordering.records import Pending
from orders.ordering.service import Intake
from orders.ordering.steps import ApprovalWanted
from orders.ordering.store import OrderStore
from orders.saved_histories import KEPT, Replaced, SavedHistories
from orders.tasks.messages import TaskOrder

ORDER = OrderSubmitted(
    order_id="o1", customer_id="alice", lines=(OrderLine(item="cars", quantity=1),)
)
PICK = "pick.o1"
WHY = Replaced("damaged_history: a reason", ({"eventId": 7},))


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.at = now()

    def __call__(self) -> datetime:
        return self.at


@pytest.fixture
def settings() -> OrdersSettings:
    """Let paid orders wait for a task."""
    return OrdersSettings.model_validate(
        {"APP_API_TOKEN": "a-token-for-tests", "picking": "awaited"}
    )


@pytest.fixture
def histories(database: Database) -> SavedHistories:
    return SavedHistories(database)


@pytest.fixture
async def left(intake: Intake, engine: MemoryEngine, store: OrderStore) -> Pending:
    """Submit an order whose run has reserved the stock."""
    await intake.submit(ORDER)
    await store.record("o1", engine.runs["o1"][0].run_id, OrderStatus.RESERVED)
    found = await store.pending("o1")
    assert found is not None
    return found


async def test_the_history_is_saved_and_the_instance_replaced(
    left: Pending, new_runs: NewRuns, engine: MemoryEngine, histories: SavedHistories
) -> None:
    """The new run has an id of its own, which the order has too, and numbers of its own."""
    assert await new_runs.begin(left, WHY)

    former, run = engine.runs["o1"]
    assert engine.discarded == [("o1", True)]
    assert (run.begun_again, run.first_action) == (True, first_action_of(run.run_id))
    assert former.run_id == left.run_id != run.run_id
    pending = await new_runs.pending("o1")
    assert pending is not None
    assert pending.run_id == run.run_id
    (saved,) = await histories.of("o1")
    assert (saved.run_id, saved.why, saved.events) == (left.run_id, WHY.why, [{"eventId": 7}])


async def test_the_former_run_records_nothing_more(
    left: Pending, new_runs: NewRuns, engine: MemoryEngine, store: OrderStore
) -> None:
    """Its activities may still be running."""
    await new_runs.begin(left, WHY)

    former, run = engine.runs["o1"]
    assert await store.record("o1", former.run_id, OrderStatus.PAID) is None
    assert await store.record("o1", run.run_id, OrderStatus.PAID) is not None


async def test_an_order_is_begun_again_once_and_only_until_its_end(
    left: Pending, new_runs: NewRuns, engine: MemoryEngine, store: OrderStore
) -> None:
    """Two replicas may find the same; an order that has ended needs no run."""
    assert await new_runs.begin(left, WHY)
    assert not await new_runs.begin(left, WHY)
    run = engine.runs["o1"][-1]
    await store.record("o1", run.run_id, OrderStatus.COMPLETED, total_cents=1)
    ended = Pending(ORDER, OrderStatus.COMPLETED, run.run_id)
    assert not await new_runs.begin(ended, WHY)

    assert len(engine.runs["o1"]) == 2
    assert await new_runs.pending("o1") is None


async def test_the_next_process_starts_a_run_that_was_only_recorded(
    left: Pending, new_runs: NewRuns, engine: MemoryEngine, intake: Intake, store: OrderStore
) -> None:
    """The process may die between the transaction and the start, with the old instance active."""
    engine.is_down = True
    with pytest.raises(EngineUnavailable):
        await new_runs.begin(left, WHY)
    engine.is_down = False
    (pending,) = await store.unfinished()

    await intake.resume_order(pending)

    assert [run.run_id for run in engine.runs["o1"]] == [left.run_id, pending.run_id]
    assert engine.active == {"o1"}
    await intake.resume_order(pending)
    assert len(engine.runs["o1"]) == 2


@pytest.mark.parametrize(
    ("expires", "decided", "carried"), [(-1, False, True), (+1, False, False), (-1, True, False)]
)
async def test_a_deadline_that_has_passed_still_counts(
    left: Pending,
    new_runs: NewRuns,
    engine: MemoryEngine,
    expires: int,
    decided: bool,  # noqa: FBT001 # a parameter of the test
    carried: bool,  # noqa: FBT001 # likewise
) -> None:
    """If the decision had been made, or may still be, the new run waits for it."""
    deadline = now() + timedelta(hours=expires)
    wanted = ApprovalWanted(order_id="o1", run_id="any", total_cents=1, expires_at=deadline)
    scheduled = protos.HistoryEvent(eventId=1)
    scheduled.taskScheduled.name = "request_approval_activity"
    scheduled.taskScheduled.input.value = wanted.model_dump_json()
    events: list[Any] = [scheduled]
    if decided:
        raised = protos.EventRaisedEvent(name="approval_decided")
        events.append(protos.HistoryEvent(eventId=-1, eventRaised=raised))

    await new_runs.begin(left, Replaced("why", Recording.of("o1", events, {}, now()).events))

    assert engine.runs["o1"][-1].approval_expires_at == (deadline if carried else None)


async def test_saved_histories_are_deleted_when_they_are_old(histories: SavedHistories) -> None:
    """They are deleted when another one is saved."""
    at = now()
    await histories.save("one", WHY, at - KEPT - timedelta(seconds=1))
    await histories.save("two", WHY, at - timedelta(days=1))
    assert len(await histories.of("one")) == 1

    await histories.save("two", WHY, at)

    assert await histories.of("one") == []
    assert len(await histories.of("two")) == 2


async def test_runs_that_cannot_be_read_are_found_and_healed(
    left: Pending, new_runs: NewRuns, engine: MemoryEngine, store: OrderStore
) -> None:
    """The one that is found is begun again; the others are left alone."""
    clock = Clock()
    examiner = Examiner(engine, lambda *_: False, clock)
    runs = DamagedRuns(store, new_runs, examiner, engine)
    engine.unreadable.add("o1")
    assert [found async for found in runs.find([left])] == []
    clock.at += SEEN_AGAIN

    (found,) = [found async for found in runs.find([left])]
    assert (found.instance_id, found.kind) == ("o1", Kind.DAMAGED_HISTORY)
    assert await runs.heal(found)

    assert len(engine.runs["o1"]) == 2
    pending = await store.pending("o1")
    assert pending is not None
    assert [found async for found in runs.find([pending])] == []


async def test_an_order_that_has_ended_meanwhile_is_not_healed(
    left: Pending, new_runs: NewRuns, engine: MemoryEngine, store: OrderStore
) -> None:
    """It ended between the finding and its remedy."""
    runs = DamagedRuns(store, new_runs, Examiner(engine, lambda *_: False), engine)
    await store.record("o1", left.run_id or "", OrderStatus.COMPLETED, total_cents=1)

    assert not await runs.heal(Finding("o1", Kind.LOST_TIMER, "a timer"))
    assert len(engine.runs["o1"]) == 1


@pytest.fixture
async def picked(left: Pending, engine: MemoryEngine, store: OrderStore) -> Pending:
    """Let the order be paid, and wait for its task, whose workflow is in the engine."""
    await store.record("o1", left.run_id or "", OrderStatus.PAID)
    await engine.start("task_processing_workflow", PICK, TaskOrder(task_id="pick-o1", title="x"))
    child = protos.ChildWorkflowInstanceCreatedEvent(instanceId=PICK, name="task")
    event = protos.HistoryEvent(eventId=1, childWorkflowInstanceCreated=child)
    event.timestamp.FromDatetime(now() - timedelta(minutes=1))
    started = protos.ExecutionStartedEvent(name="order_processing_workflow")
    engine.histories["o1"] = [protos.HistoryEvent(eventId=-1, executionStarted=started), event]
    found = await store.pending("o1")
    assert found is not None
    return found


@pytest.mark.parametrize("is_lost", [False, True])
async def test_an_order_whose_task_is_lost_is_begun_again(
    picked: Pending, new_runs: NewRuns, engine: MemoryEngine, store: OrderStore, *, is_lost: bool
) -> None:
    """The task's workflow could not report its end; while it is there, the order waits."""
    clock = Clock()
    examiner = Examiner(engine, lambda *_: False, clock)
    runs = DamagedRuns(store, new_runs, examiner, engine, clock)
    if is_lost:
        engine.gone.add(PICK)
    assert [found async for found in runs.find([picked])] == []
    clock.at += SEEN_AGAIN

    found = [found async for found in runs.find([picked])]

    assert [each.kind for each in found] == [Kind.LOST_TIMER] * is_lost


async def test_a_new_run_gets_a_task_of_its_own(
    picked: Pending, new_runs: NewRuns, engine: MemoryEngine
) -> None:
    """A lost run does not name the task's workflow, which would keep the new one from starting."""
    assert await new_runs.begin(picked, WHY)

    assert engine.discarded == [("o1", True), (PICK, False)]
