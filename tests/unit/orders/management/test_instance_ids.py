"""Ids of instances that the management API starts: recorded first, and freed when they are gone."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from fakes.managed_engine import ManagedMemoryEngine
from fakes.pauses import short_pause
from orderflow_contracts.fields import now
from orderflow_contracts.orders import OrderLine, OrderSubmitted
from orderflow_workflow_runtime.instances import HistoryEvent, RuntimeStatus
from orderflow_workflow_runtime.ports import EngineUnavailable
from orders.management.errors import InstanceExists
from orders.management.index import InstanceIndex
from orders.management.retention import keep_freeing_ids
from orders.management.service import LEFT_ALONE, Management
from orders.ordering.records import IdTaken
from orders.ordering.store import OrderStore
from orders.ordering.undo import OrderUndo

HELLO = "interactive_hello_workflow"
COUNTER = "never_ending_workflow"
TASK = "task_processing_workflow"
LATER = LEFT_ALONE + timedelta(minutes=1)
INPUTS: dict[str, Any] = {HELLO: "Ann", COUNTER: 1, TASK: {"task_id": "t1", "title": "Sweep"}}


@pytest.fixture
def engine() -> ManagedMemoryEngine:
    return ManagedMemoryEngine()


@pytest.fixture
def management(engine: ManagedMemoryEngine, store: OrderStore, index: InstanceIndex) -> Management:
    return managed(engine, store, index)


def managed(
    engine: ManagedMemoryEngine,
    store: OrderStore,
    index: InstanceIndex,
    after: timedelta = timedelta(),
) -> Management:
    """Return the management of workflows, for which this time has passed."""
    undo = OrderUndo(engine, store)
    settings: Any = {"counter_pause_seconds": 0.5, "clock": lambda: now() + after}
    return Management(engine, store, undo, index=index, **settings)


async def place(store: OrderStore, order_id: str) -> None:
    line = OrderLine(item="cars", quantity=1)
    await store.accept(OrderSubmitted(order_id=order_id, customer_id="alice", lines=(line,)))


async def assert_taken(store: OrderStore, order_id: str) -> None:
    with pytest.raises(IdTaken):
        await place(store, order_id)


@pytest.mark.parametrize("workflow", INPUTS)
async def test_a_started_instance_keeps_its_id_from_orders(
    management: Management, engine: ManagedMemoryEngine, store: OrderStore, workflow: str
) -> None:
    """Whatever its workflow, and also after it has ended."""
    await management.start(workflow, "x", INPUTS[workflow])
    await assert_taken(store, "x")

    await engine.become("x", RuntimeStatus.COMPLETED)
    await assert_taken(store, "x")


async def test_a_generated_id_is_recorded_too(management: Management, store: OrderStore) -> None:
    """Its caller learns it, and could use it for an order."""
    await assert_taken(store, await management.start(HELLO, None, None))


async def test_an_id_is_recorded_before_the_engine_is_asked(
    management: Management,
    engine: ManagedMemoryEngine,
    store: OrderStore,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A process that is killed in between leaves no instance without a record."""

    async def die(*_: Any) -> None:
        await assert_taken(store, "x")
        raise EngineUnavailable("no answer: the instance may have been started")

    monkeypatch.setattr(engine, "start", die)

    with pytest.raises(EngineUnavailable):
        await management.start(HELLO, "x", None)
    await assert_taken(store, "x")


async def test_a_start_refused_while_the_engine_is_away_takes_no_id(
    management: Management, engine: ManagedMemoryEngine, store: OrderStore
) -> None:
    """The engine was not asked to start anything."""
    engine.is_down = True

    with pytest.raises(EngineUnavailable):
        await management.start(HELLO, "x", None)

    await place(store, "x")


async def test_an_order_placed_meanwhile_is_not_replaced(
    management: Management,
    engine: ManagedMemoryEngine,
    store: OrderStore,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its id is checked again when that of the instance is recorded."""
    read = engine.instance

    async def place_meanwhile(instance_id: str, *, payloads: bool = True) -> Any:
        found = await read(instance_id, payloads=payloads)
        await place(store, instance_id)
        return found

    monkeypatch.setattr(engine, "instance", place_meanwhile)

    with pytest.raises(InstanceExists, match="is the id of an order"):
        await management.start(HELLO, "x", None)
    assert engine.instances == {}


async def test_a_rerun_keeps_its_id_from_orders(
    management: Management, engine: ManagedMemoryEngine, store: OrderStore
) -> None:
    """A new instance is recorded whichever way it is started."""
    engine.put("done", RuntimeStatus.COMPLETED)
    engine.histories["done"] = [
        HistoryEvent(event_id=0, at=now(), type="task_scheduled", is_rerunnable=True)
    ]

    assert await management.rerun("done", 0, "again") == "again"

    await assert_taken(store, "again")


async def test_a_purge_frees_the_id(
    management: Management, engine: ManagedMemoryEngine, store: OrderStore
) -> None:
    """An order can have it afterwards."""
    await management.start(HELLO, "x", None)
    await engine.become("x", RuntimeStatus.COMPLETED)

    await management.purge("x")

    await place(store, "x")


async def test_a_damaged_instance_keeps_its_id_and_delays_no_other(
    management: Management, engine: ManagedMemoryEngine, store: OrderStore, index: InstanceIndex
) -> None:
    """It exists, although the engine cannot read it."""
    for instance_id in ("damaged", "gone"):
        await management.start(HELLO, instance_id, None)
    engine.damaged = {"damaged"}
    del engine.instances["gone"]

    await managed(engine, store, index, LATER).free_ids()

    await place(store, "gone")
    with pytest.raises(IdTaken):
        await place(store, "damaged")


async def test_a_purge_by_age_frees_the_ids(
    management: Management, engine: ManagedMemoryEngine, store: OrderStore, index: InstanceIndex
) -> None:
    """Only those of the instances that it purges."""
    for instance_id in ("old", "running"):
        await management.start(HELLO, instance_id, None)
    await engine.become("old", RuntimeStatus.COMPLETED)

    index.became("old", RuntimeStatus.COMPLETED, now())

    assert await managed(engine, store, index, LATER).purge_older_than(timedelta()) == 1

    await place(store, "old")
    await assert_taken(store, "running")


async def test_an_instance_started_during_the_purge_of_the_former_keeps_its_id(
    management: Management,
    engine: ManagedMemoryEngine,
    store: OrderStore,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The purge frees only what it purged."""
    await management.start(HELLO, "x", None)
    await engine.become("x", RuntimeStatus.COMPLETED)
    purge = engine.purge

    async def start_again(instance_id: str) -> None:
        await purge(instance_id)
        await management.start(HELLO, instance_id, None)

    monkeypatch.setattr(engine, "purge", start_again)

    await management.purge("x")

    await assert_taken(store, "x")


async def test_ids_of_instances_that_are_gone_are_freed(
    management: Management, engine: ManagedMemoryEngine, store: OrderStore, index: InstanceIndex
) -> None:
    """The engine purges by itself; finished instances that it still has are left alone."""
    for instance_id in ("gone", "finished", "running"):
        await management.start(HELLO, instance_id, None)
    await engine.become("finished", RuntimeStatus.COMPLETED)
    del engine.instances["gone"]

    await managed(engine, store, index, LATER).free_ids()

    await place(store, "gone")
    await assert_taken(store, "finished")
    await assert_taken(store, "running")


async def test_the_id_of_a_recent_start_is_not_freed(
    management: Management, store: OrderStore
) -> None:
    """It may have been recorded, and the engine not asked yet."""
    await store.record_start("x")

    await management.free_ids()

    await assert_taken(store, "x")


async def test_nothing_is_freed_while_the_engine_is_away(
    engine: ManagedMemoryEngine, store: OrderStore, index: InstanceIndex
) -> None:
    """No answer does not mean that there is no instance."""
    await store.record_start("x")
    engine.is_down = True

    with pytest.raises(EngineUnavailable):
        await managed(engine, store, index, LATER).free_ids()

    await assert_taken(store, "x")


async def test_freeing_repeats_as_long_as_the_process_lives(
    engine: ManagedMemoryEngine, store: OrderStore, index: InstanceIndex
) -> None:
    """It goes on after a failure of the engine, and finds what is gone later."""
    await store.record_start("first")
    engine.is_down = True
    task = asyncio.create_task(keep_freeing_ids(managed(engine, store, index, LATER), short_pause))
    try:
        engine.is_down = False
        await until_freed(store)
        await store.record_start("second")
        await until_freed(store)
    finally:
        task.cancel()


async def until_freed(store: OrderStore) -> None:
    """Wait until no start is recorded any more."""
    async with asyncio.timeout(10):
        while await store.started_until(now()):
            await short_pause(0)
