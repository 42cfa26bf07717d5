"""Every declared step is known everywhere: steps are found by reflection, including new ones."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from fakes.events import TopicsInMemory
from fakes.managed_engine import ManagedMemoryEngine
from fakes.orders_ports import MemoryApprovals, MemoryEngine, RoomInventory
from orderflow_contracts.fields import now
from orderflow_contracts.orders import HistoryEntry, Order, OrderLine, OrderStatus, OrderSubmitted
from orderflow_hosting.background import BackgroundWork
from orderflow_hosting.database import Database
from orderflow_workflow_runtime.instances import HistoryEvent, RuntimeStatus
from orders.board.entries import Entry, Kind, State
from orders.board.timeline import timeline
from orders.config import OrdersSettings
from orders.management.index import InstanceIndex
from orders.management.service import Management
from orders.ordering import steps
from orders.ordering import workflow as order_workflow
from orders.ordering.actions import Action, Step
from orders.ordering.build import Ordering, build
from orders.ordering.steps import ACTIONS, COMPENSATIONS, STEPS
from orders.parts import Base
from orders.payments.service import RecordedPayments
from orders.tables import DEAD_LETTERS, PARKED_EVENTS
from orders.tasks.store import TaskStore
from orders.workflows import WORKFLOWS

START = datetime(2026, 11, 1, tzinfo=UTC)
COMPENSATED = [step for step in STEPS if step.compensation is not None]

every_step = pytest.mark.parametrize("step", STEPS, ids=lambda step: step.name)
every_action = pytest.mark.parametrize("action", ACTIONS.values(), ids=lambda action: action.name)


@pytest.fixture
def ordering(
    settings: OrdersSettings,
    database: Database,
    engine: MemoryEngine,
    inventory: RoomInventory,
    payments: RecordedPayments,
    approvals: MemoryApprovals,
) -> Ordering:
    topics = TopicsInMemory(database, DEAD_LETTERS, PARKED_EVENTS)
    base = Base(
        settings=settings,
        clock=now,
        database=database,
        engine=cast(Any, engine),
        inventory=cast(Any, inventory),
        approvals=cast(Any, approvals),
        app=topics.app,
        topics=topics.topics,
        dead_letters=topics.letters,
        parked=topics.parked,
        background=BackgroundWork(),
    )
    return build(base, payments, TaskStore(database))


def happened(action: Action, *outcomes: str) -> list[HistoryEvent]:
    """Make the history events of an action: `scheduled`, then `completed` or `failed`."""
    is_child = isinstance(action, Step) and action.is_child
    words = {"scheduled": "created"} if is_child else {}
    prefix = "child_workflow_instance" if is_child else "task"
    return [
        HistoryEvent(
            event_id=None,
            at=START + timedelta(seconds=second),
            type=f"{prefix}_{words.get(outcome, outcome)}",
            name=action.activity,
            error="Timeout: late" if outcome == "failed" else None,
        )
        for second, outcome in enumerate(("scheduled", *outcomes))
    ]


def order(status: OrderStatus | None = None) -> Order:
    """Make an order that was received, and has this status now."""
    history = tuple(
        HistoryEntry(sequence=place, status=each, at=START)
        for place, each in enumerate((OrderStatus.RECEIVED, status), 1)
        if each is not None
    )
    return Order(
        order_id="o1",
        customer_id="alice",
        lines=(),
        status=history[-1].status,
        sequence=len(history),
        created_at=START,
        updated_at=START,
        history=history,
    )


def entry_of(action: Action, entries: tuple[Entry, ...]) -> Entry:
    (entry,) = [entry for entry in entries if entry.name == action.activity]
    return entry


def test_every_declaration_is_in_the_list_of_steps() -> None:
    """No step or compensation declared in the module is missing from its lists."""
    declared = {value for value in vars(steps).values() if isinstance(value, Action)}
    assert declared == set(ACTIONS.values())
    assert set(STEPS) | set(COMPENSATIONS) | {steps.RECORD_RETRY} == declared
    assert len(ACTIONS) == len({action.name for action in declared}) == len(declared)


@every_step
def test_the_workflow_uses_every_step(step: Step) -> None:
    """It refers to each step's declaration."""
    used = {
        name
        for function in vars(order_workflow._OrderProcess).values()
        if isinstance(function, Callable)  # type: ignore[arg-type] # an abstract class of its own
        for name in function.__code__.co_names
    }
    (constant,) = [name for name, value in vars(steps).items() if value is step]
    assert constant in used


@every_step
def test_every_step_is_registered(step: Step, ordering: Ordering) -> None:
    """The worker has its activity or child workflow, and its compensation."""
    registered = WORKFLOWS if step.is_child else ordering.activities
    assert callable(registered[step.activity])
    if step.compensation is not None:
        assert callable(ordering.activities[step.compensation.activity])


@pytest.mark.parametrize("step", COMPENSATED, ids=lambda step: step.name)
async def test_every_step_is_compensated_after_a_restart(
    step: Step, ordering: Ordering, engine: MemoryEngine
) -> None:
    """An order with a lost or terminated run is rolled back by every compensation."""
    lines = (OrderLine(item="cars", quantity=1),)
    for order_id in ("lost", "stopped"):
        submitted = OrderSubmitted(order_id=order_id, customer_id="alice", lines=lines)
        accepted = await ordering.store.accept(submitted)
        await ordering.store.record(order_id, str(accepted.run_id), OrderStatus.RESERVED)

    (lost, _) = await ordering.store.unfinished()
    await ordering.intake.resume_order(lost)
    await ordering.undo.undo("stopped", None)

    assert step.compensation is not None
    assert step.compensation.activity in (engine.runs["lost"][0].compensations or ())
    assert step.compensation.activity in (engine.undone[0].compensations or ())
    assert step.activity in steps.steps_undone_by(step.compensation.activity)


@every_action
def test_every_action_is_in_the_timeline(action: Action) -> None:
    """It says what is being done, then what was done."""
    status = action.status if isinstance(action, Step) else None

    running = entry_of(action, timeline(order(), happened(action)))
    retrying = entry_of(action, timeline(order(), happened(action, "failed")))
    done = entry_of(action, timeline(order(status), happened(action, "completed")))

    assert (running.title, running.state) == (action.name, State.RUNNING)
    assert (retrying.title, retrying.state) == (action.name, State.RETRYING)
    assert (done.title, done.state) == (action.done, State.DONE)
    assert done.kind is (Kind.UNDO if action in COMPENSATIONS else Kind.STEP)
    assert done.status is status


@pytest.mark.parametrize("step", COMPENSATED, ids=lambda step: step.name)
def test_every_step_that_was_compensated_is_marked_as_undone(step: Step) -> None:
    """The timeline shows that its effect is gone."""
    assert step.compensation is not None
    undo = [
        event.model_copy(update={"at": event.at + timedelta(minutes=1)})
        for event in happened(step.compensation, "completed")
    ]

    entries = timeline(order(OrderStatus.CANCELLED), [*happened(step, "completed"), *undo])

    assert entry_of(step, entries).is_undone
    assert entry_of(step.compensation, entries).note == ""


@every_action
async def test_every_action_is_described_in_histories(
    action: Action, ordering: Ordering, index: InstanceIndex
) -> None:
    """Pages and the command line show the description from workflow management."""
    engine = ManagedMemoryEngine()
    engine.put("o1", RuntimeStatus.RUNNING)
    engine.histories["o1"] = happened(action, "failed", "completed")
    management = Management(
        *(engine, ordering.store, ordering.undo, cast(Any, None)),
        index=index,
        counter_pause_seconds=1,
    )

    history = await management.history("o1")

    assert [event.description for event in history] == [
        f"{action.name}: started",
        f"{action.name}: failed",
        action.done,
    ]
