"""What operators can do with workflow instances, and what is refused."""

import asyncio
from datetime import datetime, timedelta
from itertools import chain
from typing import Any

import pytest

from fakes.managed_engine import KEPT, ManagedMemoryEngine
from orderflow_contracts.fields import now
from orderflow_contracts.orders import OrderLine, OrderStatus, OrderSubmitted
from orderflow_workflow_runtime.instances import Failure, HistoryEvent, RuntimeStatus
from orderflow_workflow_runtime.ports import AlreadyRunning, CannotRerun, EngineUnavailable
from orders.management import sweeping
from orders.management.errors import (
    InstanceExists,
    InvalidInput,
    NotRunning,
    Protected,
    StillRunning,
    UnknownInstance,
    UnknownWorkflow,
)
from orders.management.index import InstanceIndex
from orders.management.records import InstanceFilter
from orders.management.service import Management
from orders.management.sweeping import Sweep
from orders.ordering.store import OrderStore
from orders.ordering.undo import OrderUndo

HELLO = "interactive_hello_workflow"
COUNTER = "never_ending_workflow"
ORDER = "order_processing_workflow"
UNDO = "order_undo_workflow"
DONE = (RuntimeStatus.COMPLETED, RuntimeStatus.FAILED, RuntimeStatus.TERMINATED)
GOING_ON = (
    RuntimeStatus.PENDING,
    RuntimeStatus.RUNNING,
    RuntimeStatus.SUSPENDED,
    RuntimeStatus.STALLED,
)


@pytest.fixture
def engine() -> ManagedMemoryEngine:
    return ManagedMemoryEngine()


@pytest.fixture
def management(engine: ManagedMemoryEngine, store: OrderStore, index: InstanceIndex) -> Management:
    undo = OrderUndo(engine, store)
    return Management(engine, store, undo, index=index, counter_pause_seconds=0.5)


@pytest.fixture
def sweep(engine: ManagedMemoryEngine, index: InstanceIndex) -> Sweep:
    return Sweep(engine, index)


async def an_order(store: OrderStore, order_id: str, *, ended: bool = False) -> None:
    line = OrderLine(item="cars", quantity=1)
    await store.accept(OrderSubmitted(order_id=order_id, customer_id="alice", lines=(line,)))
    if ended:
        await store.record(order_id, "run", OrderStatus.COMPLETED)


def event(number: int, kind: str, **fields: Any) -> HistoryEvent:
    return HistoryEvent(event_id=number, at=now(), type=kind, **fields)


# Starting


async def test_a_workflow_is_started_under_the_requested_id(
    management: Management, engine: ManagedMemoryEngine
) -> None:
    """The instance has the given name, id and input."""
    assert await management.start(HELLO, "iwf-demo", "Ann") == "iwf-demo"

    instance = engine.instances["iwf-demo"]
    assert (instance.name, instance.input) == (HELLO, "Ann")


async def test_a_start_without_an_id_generates_one(management: Management) -> None:
    """Two starts without an id make two instances."""
    first = await management.start(HELLO, None, None)
    second = await management.start(HELLO, None, None)

    assert first != second


@pytest.mark.parametrize(("start", "value"), [(None, 0), (0, 0), (5, 5), (-3, -3)])
async def test_the_counter_starts_with_a_number_and_its_setting(
    management: Management, engine: ManagedMemoryEngine, start: int | None, value: int
) -> None:
    """Its pause is a setting, and part of the input."""
    await management.start(COUNTER, "count", start)

    assert engine.instances["count"].input == {"value": value, "pause_seconds": 0.5}


@pytest.mark.parametrize("start", ["five", True, 1.5, [1], {"value": 1, "pause_seconds": 0}])
async def test_the_counter_refuses_other_inputs(
    management: Management, engine: ManagedMemoryEngine, start: Any
) -> None:
    """Callers cannot set its pause, and an invalid number is refused before the start."""
    with pytest.raises(InvalidInput, match="whole number"):
        await management.start(COUNTER, "count", start)
    assert engine.instances == {}


@pytest.mark.parametrize("name", ["nothing_workflow", "", "interactive_hello_activity"])
async def test_an_unknown_workflow_is_refused(management: Management, name: str) -> None:
    """The engine itself would accept the name, and wait for ever for a worker that knows it."""
    with pytest.raises(UnknownWorkflow, match="there is no workflow"):
        await management.start(name, None, None)


@pytest.mark.parametrize("name", [ORDER, UNDO])
async def test_orders_workflows_cannot_be_started_by_operators(
    management: Management, name: str
) -> None:
    """To get an order, an operator must place one."""
    with pytest.raises(Protected, match="POST /orders"):
        await management.start(name, "o1", {})


@pytest.mark.parametrize("status", GOING_ON)
@pytest.mark.parametrize("replace", [False, True])
async def test_the_id_of_an_active_instance_cannot_be_reused(
    management: Management, engine: ManagedMemoryEngine, status: RuntimeStatus, *, replace: bool
) -> None:
    """This also holds for a start that would replace a finished instance."""
    engine.put("x", status)

    with pytest.raises(InstanceExists, match=status):
        await management.start(HELLO, "x", None, replace=replace)


@pytest.mark.parametrize("status", DONE)
async def test_a_finished_instance_is_replaced_only_on_request(
    management: Management, engine: ManagedMemoryEngine, status: RuntimeStatus
) -> None:
    """A history is never overwritten by accident."""
    engine.put("x", status, payload="before")

    with pytest.raises(InstanceExists, match="replace=true"):
        await management.start(HELLO, "x", "after")
    assert engine.instances["x"].input == "before"

    await management.start(HELLO, "x", "after", replace=True)
    assert engine.instances["x"].input == "after"


async def test_the_id_of_an_order_can_never_be_used(
    management: Management, engine: ManagedMemoryEngine, store: OrderStore
) -> None:
    """This holds before its workflow was started and after its history was purged."""
    await an_order(store, "o1")

    with pytest.raises(InstanceExists, match="is the id of an order"):
        await management.start(HELLO, "o1", None, replace=True)
    assert engine.instances == {}


async def test_the_ids_of_rollback_workflows_are_reserved(management: Management) -> None:
    """An instance there would prevent the rollback of an order."""
    with pytest.raises(InstanceExists, match="reserved for workflows"):
        await management.start(HELLO, "undo.o1", None)


async def test_the_second_of_two_concurrent_starts_is_a_conflict(
    management: Management, engine: ManagedMemoryEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An instance started between the check and the start is not an internal error."""

    async def taken(*_: Any) -> None:
        raise AlreadyRunning("x")

    monkeypatch.setattr(engine, "start", taken)

    with pytest.raises(InstanceExists, match="x is active"):
        await management.start(HELLO, "x", None)


# Status


async def test_a_status_names_the_failed_activity(
    management: Management, engine: ManagedMemoryEngine
) -> None:
    """It is the last one that failed: earlier failures were caught or retried."""
    engine.put("x", RuntimeStatus.FAILED, failure=Failure.of("TaskFailedError", "it broke"))
    engine.histories["x"] = [
        event(1, "task_failed", name="first_activity"),
        event(2, "task_completed", name="good_activity"),
        event(3, "task_failed", name="second_activity"),
    ]

    status = await management.status("x")

    assert status.failure == Failure(
        code="ACTIVITY_EXECUTION_FAILED",
        type="TaskFailedError",
        message="it broke",
        activity="second_activity",
    )


async def test_a_workflow_that_failed_by_itself_names_no_activity(
    management: Management, engine: ManagedMemoryEngine
) -> None:
    """Its own code failed, so there is no activity to name."""
    engine.put("x", RuntimeStatus.FAILED, failure=Failure.of("ValueError", "no number"))

    failure = (await management.status("x")).failure

    assert failure is not None
    assert (failure.code, failure.activity) == ("WORKFLOW_FAILED", None)


async def test_every_operation_on_an_unknown_instance_is_an_error(management: Management) -> None:
    """Nothing is silently ignored."""
    calls = [
        management.status("x"),
        management.history("x"),
        management.pause("x"),
        management.resume("x"),
        management.terminate("x"),
        management.terminate("x", force=True),
        management.raise_event("x", "approvalEvent", None),
        management.purge("x"),
        management.wait("x", 1),
        management.rerun("x", 0, None),
    ]
    for call in calls:
        with pytest.raises(UnknownInstance, match="no workflow instance x"):
            await call


async def test_an_unavailable_engine_is_an_error_of_its_own(
    management: Management, engine: ManagedMemoryEngine, sweep: Sweep
) -> None:
    """It is not mistaken for an unknown instance."""
    engine.put("x")
    await sweep.round()
    engine.is_down = True

    with pytest.raises(EngineUnavailable):
        await management.status("x")
    with pytest.raises(EngineUnavailable):
        await management.listing.page(InstanceFilter(), 10)


# Operations


async def test_pause_and_resume(management: Management, engine: ManagedMemoryEngine) -> None:
    """Repeating either is no error."""
    engine.put("x")

    await management.pause("x")
    await management.pause("x")
    assert engine.status_of("x") is RuntimeStatus.SUSPENDED

    await management.resume("x")
    await management.resume("x")
    assert engine.status_of("x") is RuntimeStatus.RUNNING


@pytest.mark.parametrize("status", DONE)
async def test_operations_on_a_finished_instance_are_conflicts(
    management: Management, engine: ManagedMemoryEngine, status: RuntimeStatus
) -> None:
    """The engine itself would accept them and do nothing."""
    engine.put("x", status)
    for call in [
        management.pause("x"),
        management.resume("x"),
        management.terminate("x"),
        management.terminate("x", force=True),
        management.raise_event("x", "approvalEvent", 1),
    ]:
        with pytest.raises(NotRunning, match=f"it is {status}"):
            await call
    assert engine.status_of("x") is status
    assert engine.raised == []


@pytest.mark.parametrize("status", GOING_ON)
@pytest.mark.parametrize("payload", [None, False, 0, "", {"approved": True}])
async def test_an_event_is_raised_with_any_payload(
    management: Management, engine: ManagedMemoryEngine, status: RuntimeStatus, payload: Any
) -> None:
    """A paused instance buffers it; a payload such as false is passed on."""
    engine.put("x", status)

    await management.raise_event("x", "approvalEvent", payload)

    assert engine.raised == [("x", "approvalEvent", payload)]


async def test_a_termination_may_set_an_output(
    management: Management, engine: ManagedMemoryEngine
) -> None:
    """The operator can give a reason."""
    engine.put("x", RuntimeStatus.SUSPENDED)

    await management.terminate("x", {"why": "not needed"})

    assert engine.status_of("x") is RuntimeStatus.TERMINATED
    assert engine.instances["x"].output == {"why": "not needed"}


# Orders' own instances


async def test_no_decision_can_be_raised_to_an_order(
    management: Management, engine: ManagedMemoryEngine
) -> None:
    """Decisions must go through approvals, which records the approver."""
    engine.put("o1", name=ORDER)

    with pytest.raises(Protected, match="through approvals"):
        await management.raise_event("o1", "approval_decided", {"approved": True})
    assert engine.raised == []


async def test_terminating_an_order_must_be_forced(
    management: Management, engine: ManagedMemoryEngine, store: OrderStore
) -> None:
    """Normally an order is cancelled."""
    await an_order(store, "o1")
    engine.put("o1", name=ORDER)

    with pytest.raises(Protected, match="POST /orders/o1/cancel"):
        await management.terminate("o1")
    assert engine.status_of("o1") is RuntimeStatus.RUNNING


@pytest.mark.parametrize("status", GOING_ON)
async def test_a_forced_termination_rolls_the_order_back(
    management: Management, engine: ManagedMemoryEngine, store: OrderStore, status: RuntimeStatus
) -> None:
    """A separate workflow undoes it, and it will end as cancelled."""
    await an_order(store, "o1")
    await store.record("o1", "run", OrderStatus.RESERVED, total_cents=5)
    engine.put("o1", status, name=ORDER)

    await management.terminate("o1", force=True)

    assert engine.status_of("o1") is RuntimeStatus.TERMINATED
    undo = engine.instances["undo.o1"]
    assert undo.name == UNDO
    assert undo.input["order_id"] == "o1"
    assert (undo.input["status"], undo.input["reason"]) == ("cancelled", "terminated_by_operator")
    assert undo.input["total_cents"] == 5


async def test_a_terminated_run_can_record_nothing_more(
    management: Management, engine: ManagedMemoryEngine, store: OrderStore
) -> None:
    """A step still running cannot complete the order during the rollback."""
    await an_order(store, "o1")
    await store.record("o1", "run", OrderStatus.PAID, total_cents=5)
    engine.put("o1", name=ORDER)

    await management.terminate("o1", force=True)

    undo_run = engine.instances["undo.o1"].input["run_id"]
    assert await store.record("o1", "run", OrderStatus.COMPLETED) is None
    assert not await store.may_belong_to("o1", "run")
    assert await store.may_belong_to("o1", undo_run)
    assert await store.record("o1", undo_run, OrderStatus.CANCELLED) is not None


async def test_an_order_that_ended_before_the_termination_stays_as_it_is(
    management: Management, engine: ManagedMemoryEngine, store: OrderStore
) -> None:
    """Its last step was faster than the operator."""
    await an_order(store, "o1", ended=True)
    engine.put("o1", name=ORDER)

    await management.terminate("o1", force=True)

    assert list(engine.instances) == ["o1"]


async def test_forcing_rolls_back_an_order_terminated_through_the_engine(
    management: Management, engine: ManagedMemoryEngine, store: OrderStore
) -> None:
    """No restart is needed, and it is rolled back once."""
    await an_order(store, "o1")
    engine.put("o1", RuntimeStatus.TERMINATED, name=ORDER)

    with pytest.raises(NotRunning):
        await management.terminate("o1")
    await management.terminate("o1", force=True)
    assert engine.instances["undo.o1"].name == UNDO
    await management.terminate("o1", force=True)

    await store.record("o1", engine.instances["undo.o1"].input["run_id"], OrderStatus.CANCELLED)
    with pytest.raises(NotRunning):
        await management.terminate("o1", force=True)


async def test_a_rollback_cannot_be_terminated(
    management: Management, engine: ManagedMemoryEngine
) -> None:
    """Even force does not stop it; it can be paused and resumed."""
    engine.put("undo.o1", name=UNDO)

    with pytest.raises(Protected, match="must come to its end"):
        await management.terminate("undo.o1", force=True)
    with pytest.raises(Protected):
        await management.raise_event("undo.o1", "x", None)
    await management.pause("undo.o1")
    await management.resume("undo.o1")


# Purges


@pytest.mark.parametrize("status", DONE)
async def test_a_finished_instance_can_be_purged(
    management: Management, engine: ManagedMemoryEngine, status: RuntimeStatus
) -> None:
    """It is unknown afterwards."""
    engine.put("x", status)

    await management.purge("x")

    with pytest.raises(UnknownInstance):
        await management.purge("x")


@pytest.mark.parametrize("status", GOING_ON)
async def test_an_active_instance_cannot_be_purged(
    management: Management, engine: ManagedMemoryEngine, status: RuntimeStatus
) -> None:
    """It must be terminated first."""
    engine.put("x", status)

    with pytest.raises(StillRunning, match=status):
        await management.purge("x")
    assert "x" in engine.instances


async def test_the_history_of_a_finished_order_can_be_purged(
    management: Management, engine: ManagedMemoryEngine, store: OrderStore
) -> None:
    """The order itself stays recorded."""
    await an_order(store, "o1", ended=True)
    engine.put("o1", RuntimeStatus.COMPLETED, name=ORDER)

    await management.purge("o1")

    order = await store.order("o1")
    assert order is not None
    assert order.status is OrderStatus.COMPLETED


async def test_the_history_of_a_terminated_order_is_kept_until_it_is_rolled_back(
    management: Management, engine: ManagedMemoryEngine, store: OrderStore, sweep: Sweep
) -> None:
    """Otherwise the next start of the service would take the order for a lost one."""
    await an_order(store, "o1")
    engine.put("o1", RuntimeStatus.TERMINATED, name=ORDER, age=timedelta(days=1))
    await sweep.round()

    with pytest.raises(Protected, match="force its termination"):
        await management.purge("o1")
    assert await management.purge_older_than(timedelta(0)) == 0
    assert "o1" in engine.instances


async def test_instances_older_than_an_age_are_purged(
    management: Management, engine: ManagedMemoryEngine, sweep: Sweep
) -> None:
    """Younger and active instances stay, however old the active ones are."""
    hour = timedelta(hours=1)
    for status in DONE:
        engine.put(f"old-{status}", status, age=2 * hour)
        engine.put(f"young-{status}", status, age=hour / 2)
    for status in GOING_ON:
        engine.put(f"going-on-{status}", status, age=2 * hour)
    await sweep.round()

    assert await management.purge_older_than(hour) == len(DONE)

    assert sorted(engine.purged) == sorted(f"old-{status}" for status in DONE)


async def test_instances_purged_by_others_are_not_counted(
    management: Management, engine: ManagedMemoryEngine, sweep: Sweep
) -> None:
    """Other operators or the engine's retention may purge at the same time."""
    engine.put("a", RuntimeStatus.COMPLETED, age=timedelta(hours=1))
    engine.put("b", RuntimeStatus.COMPLETED, age=timedelta(hours=1))
    await sweep.round()
    engine.loses_before_purge = {"a"}

    assert await management.purge_older_than(timedelta(0)) == 1


# Waits


async def test_a_wait_ends_when_the_instance_finishes(
    management: Management, engine: ManagedMemoryEngine
) -> None:
    """It returns the finished instance."""
    engine.put("x")
    waiting = asyncio.create_task(management.wait("x", 5))
    await asyncio.wait_for(engine.waiting.wait(), 5)

    await engine.become("x", RuntimeStatus.COMPLETED, output="done")

    instance = await waiting
    assert (instance.runtime_status, instance.output) == (RuntimeStatus.COMPLETED, "done")


@pytest.mark.parametrize("status", DONE)
async def test_waiting_for_a_finished_instance_returns_at_once(
    management: Management, engine: ManagedMemoryEngine, status: RuntimeStatus
) -> None:
    """Its status does not matter."""
    engine.put("x", status)

    assert (await management.wait("x", 0.001)).runtime_status is status
    assert not engine.waiting.is_set()


async def test_a_wait_that_times_out_is_an_error(
    management: Management, engine: ManagedMemoryEngine
) -> None:
    """The instance goes on."""
    engine.put("x", RuntimeStatus.SUSPENDED)

    with pytest.raises(TimeoutError):
        await management.wait("x", 0.01)
    assert engine.status_of("x") is RuntimeStatus.SUSPENDED


# Reruns


@pytest.fixture
def finished(engine: ManagedMemoryEngine) -> None:
    """Make a finished instance with one task."""
    engine.put("x", RuntimeStatus.COMPLETED)
    engine.histories["x"] = [
        event(0, "task_scheduled", is_rerunnable=True),
        event(1, "task_completed"),
    ]


@pytest.mark.usefixtures("finished")
async def test_a_finished_instance_can_be_rerun_from_an_event(
    management: Management, engine: ManagedMemoryEngine
) -> None:
    """The rerun is a new instance, with the recorded input unless another is given."""
    assert await management.rerun("x", 0, "again") == "again"
    made = await management.rerun("x", 0, None, None)

    assert engine.reruns == [("x", 0, "again", KEPT), ("x", 0, made, None)]
    assert engine.status_of("x") is RuntimeStatus.COMPLETED


@pytest.mark.usefixtures("finished")
async def test_only_some_events_allow_a_rerun(management: Management) -> None:
    """The engine marks them."""
    with pytest.raises(CannotRerun):
        await management.rerun("x", 1, "again")


@pytest.mark.usefixtures("finished")
async def test_a_rerun_overwrites_nothing(
    management: Management, engine: ManagedMemoryEngine, store: OrderStore
) -> None:
    """Its id cannot be that of another instance, of an order, or of the first instance."""
    engine.put("busy")
    engine.put("done", RuntimeStatus.COMPLETED)
    await an_order(store, "o1")

    for taken in ("busy", "done", "o1", "x"):
        with pytest.raises(InstanceExists):
            await management.rerun("x", 0, taken)
    assert engine.reruns == []


async def test_an_active_instance_cannot_be_rerun(
    management: Management, engine: ManagedMemoryEngine
) -> None:
    """It has to finish first."""
    engine.put("x")

    with pytest.raises(StillRunning):
        await management.rerun("x", 0, None)


@pytest.mark.parametrize("name", [ORDER, UNDO])
@pytest.mark.parametrize("status", [RuntimeStatus.RUNNING, RuntimeStatus.COMPLETED])
async def test_an_order_cannot_be_rerun(
    management: Management, engine: ManagedMemoryEngine, name: str, status: RuntimeStatus
) -> None:
    """Its effects must happen once."""
    engine.put("o1", status, name=name)

    with pytest.raises(Protected, match="happen once"):
        await management.rerun("o1", 0, None)


# Lists


async def all_pages(
    management: Management,
    limit: int,
    status: RuntimeStatus | None = None,
    name: str | None = None,
    **times: datetime,
) -> list[list[str]]:
    wanted = InstanceFilter(status=status, name=name, **times)
    pages, after = [], None
    while True:
        found, after = await management.listing.page(wanted, limit, after)
        pages.append([instance.instance_id for instance in found])
        if after is None:
            return pages


def flat(pages: list[list[str]]) -> list[str]:
    return list(chain.from_iterable(pages))


@pytest.mark.parametrize("count", [0, 1, 16, 17, 40])
@pytest.mark.parametrize("limit", [1, 7, 16, 40, 100])
async def test_pages_hold_every_instance_once(
    management: Management, engine: ManagedMemoryEngine, sweep: Sweep, count: int, limit: int
) -> None:
    """Each page but the last is full, and the last one has no cursor."""
    for number in range(count):
        engine.put(f"i{number:03}")
    await sweep.round()

    pages = await all_pages(management, limit)

    assert flat(pages) == sorted(engine.instances)
    assert all(len(page) == limit for page in pages[:-1])
    assert len(pages) == max(1, -(-count // limit))


@pytest.mark.parametrize("limit", [1, 2, 5, 50])
async def test_filters_lose_no_instance_and_overshoot_no_page(
    management: Management, engine: ManagedMemoryEngine, sweep: Sweep, limit: int
) -> None:
    """Matches may be rare or adjacent."""
    for number in range(60):
        engine.put(
            f"i{number:03}",
            RuntimeStatus.FAILED if number % 7 == 0 else RuntimeStatus.RUNNING,
            name=COUNTER if number < 30 else HELLO,
        )
    await sweep.round()

    by_status = await all_pages(management, limit, status=RuntimeStatus.FAILED)
    by_both = await all_pages(management, limit, status=RuntimeStatus.FAILED, name=HELLO)

    assert flat(by_status) == [f"i{number:03}" for number in range(0, 60, 7)]
    assert flat(by_both) == ["i035", "i042", "i049", "i056"]
    assert all(len(page) <= limit for page in by_status + by_both)
    assert flat(await all_pages(management, limit, name="nothing")) == []


async def test_pages_are_stable_while_instances_come_and_go(
    management: Management, engine: ManagedMemoryEngine, sweep: Sweep
) -> None:
    """The engine's own pages are offsets, which shift with each change."""
    for number in range(10):
        engine.put(f"i{number}")
    await sweep.round()
    first, after = await management.listing.page(InstanceFilter(), 4)

    for gone in ("i0", "i1", "i3"):
        del engine.instances[gone]
    engine.put("a-new-one")
    await sweep.round()
    second, _ = await management.listing.page(InstanceFilter(), 100, after)

    assert [instance.instance_id for instance in first] == ["i0", "i1", "i2", "i3"]
    assert [instance.instance_id for instance in second] == [f"i{n}" for n in range(4, 10)]


async def test_all_ids_are_read_however_many(
    management: Management,
    engine: ManagedMemoryEngine,
    sweep: Sweep,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The engine returns them in limited pages."""
    monkeypatch.setattr(sweeping, "IDS_AT_ONCE", 3)
    for number in range(8):
        engine.put(f"i{number}")
    await sweep.round()

    found, after = await management.listing.page(InstanceFilter(), 100)

    assert (len(found), after, engine.list_calls) == (8, None, 3)


# Tasks

TASK = "task_processing_workflow"


async def test_a_task_is_started_with_its_defaults(
    management: Management, engine: ManagedMemoryEngine
) -> None:
    """Missing fields are filled in before the start."""
    await management.start(TASK, "x", {"task_id": "t1", "title": "Sweep"})

    assert engine.instances["x"].input == {
        "task_id": "t1",
        "title": "Sweep",
        "assignee": "",
        "order_id": None,
        "timeout_seconds": 24 * 3600.0,
    }


async def test_ids_of_orders_tasks_are_reserved(management: Management) -> None:
    """Nothing can block the id of an order's task."""
    with pytest.raises(InstanceExists, match="reserved for workflows"):
        await management.start(TASK, "pick.o1", {"task_id": "t1", "title": "Sweep"})
