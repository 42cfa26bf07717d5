"""What cannot go on is replaced: runs, rollbacks, batches and monitors."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from dapr.ext.workflow._durabletask.internal import protos

from fakes.managed_engine import ManagedMemoryEngine
from fakes.pauses import short_pause
from orderflow_contracts.batches import BatchSubmitted
from orderflow_contracts.fields import now, readable_order_id
from orderflow_contracts.orders import OrderLine, OrderStatus, OrderSubmitted
from orderflow_hosting.background import BackgroundWork
from orderflow_hosting.database import Database
from orderflow_hosting.dead_letters import DeadLetters
from orderflow_workflow_runtime.examining import SEEN_AGAIN, Examiner
from orders.batches.records import run_id_of
from orders.batches.service import Batches
from orders.batches.store import BatchStore
from orders.config import OrdersSettings
from orders.ordering.damaged import DamagedRuns
from orders.ordering.feed import StatusFeed
from orders.ordering.new_runs import NewRuns
from orders.ordering.store import OrderStore
from orders.ordering.undo import OrderUndo
from orders.replacing import UNCHANGED, Replacing
from orders.saved_histories import Replaced, SavedHistories
from orders.tables import DEAD_LETTERS

ENTRY = {"order_id": "a", "customer_id": "alice", "lines": [{"item": "cars", "quantity": 1}]}
MONITOR = "stock-monitor.cars"


class House:
    """Everything that is examined, on one engine."""

    def __init__(self, settings: OrdersSettings, database: Database, feed: StatusFeed) -> None:
        self.at = now()
        self.engine = ManagedMemoryEngine()
        self.store = OrderStore(database)
        self.histories = SavedHistories(database)
        self.undo = OrderUndo(self.engine, self.store)
        self.new_runs = NewRuns(settings, self.store, self.histories, self.engine)
        letters = DeadLetters(database, DEAD_LETTERS, subject_of=readable_order_id)
        self.batches = Batches(
            *(settings, BatchStore(database), self.engine, feed, self.undo, letters),
            BackgroundWork(short_pause),
            new_runs=self.new_runs,
        )
        examiner = Examiner(self.engine, lambda *_: False, self.clock)
        self.replacing = Replacing(
            *(self.engine, self.store, self.histories),
            DamagedRuns(self.store, self.new_runs, examiner, self.engine, self.clock),
            *(self.undo, self.batches),
            examiner=examiner,
            monitors=("cars",),
            clock=self.clock,
        )

    def clock(self) -> datetime:
        return self.at

    async def look(self, times: int = 1) -> None:
        """Look again and again, some seconds apart."""
        for _ in range(times):
            await self.replacing.look()
            self.at += SEEN_AGAIN

    def damage(self, instance_id: str) -> None:
        """Have an action twice in the history of an instance."""
        instance = self.engine.instances[instance_id]
        started = protos.ExecutionStartedEvent(name=instance.name)
        started.input.value = '{"item": "cars"}'
        events: list[Any] = [protos.HistoryEvent(eventId=-1, executionStarted=started)]
        events += [protos.HistoryEvent(eventId=1, taskScheduled=protos.TaskScheduledEvent())] * 2
        self.engine.recordings[instance_id] = events


@pytest.fixture
def house(settings: OrdersSettings, database: Database, feed: StatusFeed) -> House:
    return House(settings, database, feed)


async def accepted(house: House, *order_ids: str) -> None:
    for order_id in order_ids:
        lines = (OrderLine(item="cars", quantity=1),)
        order = OrderSubmitted(order_id=order_id, customer_id="alice", lines=lines)
        await house.store.accept(order)
        await house.store.record(order_id, f"run-{order_id}", OrderStatus.AWAITING_APPROVAL)
        house.engine.put(order_id, name="order_processing_workflow")


async def test_only_orders_that_have_not_changed_for_a_while_are_examined(house: House) -> None:
    """All others make progress."""
    await accepted(house, "o1")
    house.damage("o1")

    house.at = now()
    await house.replacing.look()
    assert house.engine.discarded == []
    house.at = now() + UNCHANGED + timedelta(seconds=1)
    await house.replacing.look()

    assert house.engine.discarded == [("o1", True)]
    assert house.engine.instances["o1"].input["begun_again"]
    assert len(await house.histories.of("o1")) == 1


async def test_an_order_that_cannot_be_replaced_does_not_affect_the_others(house: House) -> None:
    """The next round tries it again."""
    await accepted(house, "o1", "o2")
    house.damage("o1")
    house.damage("o2")
    house.engine.cannot_discard.add("o1")
    house.at = now() + timedelta(hours=1)

    await house.replacing.look()
    assert [key for key, _ in house.engine.discarded] == ["o2"]
    house.engine.cannot_discard.clear()
    await house.replacing.look()

    assert [key for key, _ in house.engine.discarded] == ["o2", "o1"]


async def test_a_damaged_rollback_is_begun_again_with_its_input(house: House) -> None:
    """Compensations may run twice."""
    await accepted(house, "o1")
    await house.store.hand_to_undo("o1")
    house.engine.put("undo.o1", name="order_undo_workflow")
    house.damage("undo.o1")
    house.at = now() + timedelta(hours=1)

    await house.replacing.look()

    assert house.engine.discarded == [("undo.o1", False)]
    assert house.engine.instances["undo.o1"].input == {"item": "cars"}
    assert len(await house.histories.of("undo.o1")) == 1


async def test_a_lost_rollback_is_started_from_the_records(house: House) -> None:
    """Its input is lost with it."""
    await accepted(house, "o1")
    await house.store.hand_to_undo("o1")
    house.at = now() + timedelta(hours=1)

    await house.look(2)

    assert house.engine.instances["undo.o1"].input["order_id"] == "o1"


async def test_a_damaged_monitor_is_started_again(house: House) -> None:
    """One that does not exist is not configured any more, or about to be started."""
    await house.look(3)
    assert house.engine.instances == {}
    house.engine.put(MONITOR, name="stock_monitor_workflow")
    house.damage(MONITOR)

    await house.replacing.look()

    assert house.engine.discarded == [(MONITOR, False)]
    assert house.engine.instances[MONITOR].input == {"item": "cars"}


async def test_a_damaged_batch_is_begun_again_and_its_orders_go_on(house: House) -> None:
    """Its children are not deleted with it."""
    await house.batches.submit(BatchSubmitted(batch_id="b1", orders=(ENTRY,)))
    house.engine.put("a", name="order_processing_workflow")
    house.damage("batch.b1")

    await house.replacing.look()

    assert ("batch.b1", False) in house.engine.discarded
    assert house.engine.instances["batch.b1"].input["batch_id"] == "b1"
    assert "a" in house.engine.instances


@pytest.mark.parametrize("is_replaced", [True, False])
async def test_a_batch_does_not_wait_for_an_order_that_cannot_report(
    house: House,
    is_replaced: bool,  # noqa: FBT001 # a parameter of the test
) -> None:
    """The new run of an order is no child of the batch's workflow."""
    await house.batches.submit(BatchSubmitted(batch_id="b1", orders=(ENTRY,)))
    run_id = run_id_of("b1", "a")
    await house.store.record("a", run_id, OrderStatus.RESERVED)
    house.engine.put("a", name="order_processing_workflow", payload={"run_id": run_id})
    if is_replaced:
        left = await house.new_runs.pending("a")
        assert left is not None
        assert await house.new_runs.begin(left, Replaced("its history was damaged"))
        assert house.engine.instances["a"].input["run_id"] != run_id
    child = protos.ChildWorkflowInstanceCreatedEvent(instanceId="a")
    started = protos.ExecutionStartedEvent(name="order_batch_workflow")
    house.engine.recordings["batch.b1"] = [
        protos.HistoryEvent(eventId=-1, executionStarted=started),
        protos.HistoryEvent(eventId=1, childWorkflowInstanceCreated=child),
    ]

    await house.look(3)

    assert (("batch.b1", False) in house.engine.discarded) is is_replaced
