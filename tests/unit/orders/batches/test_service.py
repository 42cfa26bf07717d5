"""Batches: accepted once, each order run once, and finished."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from fakes.managed_engine import ManagedMemoryEngine
from fakes.orders_ports import Promised
from fakes.pauses import short_pause
from fakes.waiting import until
from orderflow_contracts.batches import Batch, BatchSubmitted
from orderflow_contracts.dead_letters import DeadLetter
from orderflow_contracts.fields import readable_order_id
from orderflow_contracts.orders import OrderLine, OrderStatus, OrderSubmitted
from orderflow_hosting.background import BackgroundWork
from orderflow_hosting.database import Database
from orderflow_hosting.dead_letters import DeadLetters
from orderflow_workflow_runtime.instances import RuntimeStatus
from orderflow_workflow_runtime.ports import EngineUnavailable
from orders.batches.activities import BatchActivities
from orders.batches.messages import BatchRef
from orders.batches.records import OtherBatchContent, run_id_of
from orders.batches.service import Batches
from orders.batches.store import BatchStore
from orders.config import OrdersSettings
from orders.management.errors import InstanceExists, NotRunning, Protected
from orders.management.index import InstanceIndex
from orders.management.service import Management
from orders.ordering.feed import StatusFeed
from orders.ordering.new_runs import NewRuns
from orders.ordering.records import Cancellation, Standing
from orders.ordering.service import Intake
from orders.ordering.store import OrderStore
from orders.ordering.undo import OrderUndo
from orders.saved_histories import SavedHistories
from orders.tables import DEAD_LETTERS

CTX: Any = None
BATCH = "order_batch_workflow"
ORDER = "order_processing_workflow"


def entry(order_id: str, quantity: Any = 1) -> dict[str, Any]:
    return {"order_id": order_id, "item": "paperclip", "quantity": quantity}


def submitted(*orders: Any) -> BatchSubmitted:
    return BatchSubmitted(batch_id="b1", orders=orders)


def order_of(order_id: str, quantity: int = 1) -> OrderSubmitted:
    return OrderSubmitted.model_validate(entry(order_id, quantity))


@pytest.fixture
def managed() -> ManagedMemoryEngine:
    return ManagedMemoryEngine()


@pytest.fixture
def letters(database: Database) -> DeadLetters:
    return DeadLetters(database, DEAD_LETTERS, subject_of=readable_order_id)


@pytest.fixture
async def batches(
    settings: OrdersSettings,
    batch_store: BatchStore,
    store: OrderStore,
    managed: ManagedMemoryEngine,
    feed: StatusFeed,
    letters: DeadLetters,
    database: Database,
) -> AsyncIterator[Batches]:
    undo = OrderUndo(managed, store)
    batches = Batches(
        *(settings, batch_store, managed, feed, undo, letters, BackgroundWork(short_pause)),
        new_runs=NewRuns(settings, store, SavedHistories(database), managed),
    )
    yield batches
    await batches._background.stop()


async def read(batch_store: BatchStore) -> Batch:
    found = await batch_store.batch("b1")
    assert found is not None
    return found


async def refusals(letters: DeadLetters) -> dict[str, DeadLetter]:
    return {
        dead_letter.event_id: dead_letter for dead_letter in (await letters.page(100, None)).items
    }


async def end_all(store: OrderStore, *order_ids: str) -> None:
    for order_id in order_ids:
        run_id = run_id_of("b1", order_id)
        await store.record(order_id, run_id, OrderStatus.COMPLETED, total_cents=500)


async def test_a_batch_gets_one_workflow_and_its_orders_none(
    batches: Batches, batch_store: BatchStore, managed: ManagedMemoryEngine
) -> None:
    """However often a batch arrives, its orders are received, and run only by its workflow."""
    for _ in range(10):
        await batches.submit(submitted(entry("a"), entry("b")))

    assert list(managed.instances) == ["batch.b1"]
    assert managed.instances["batch.b1"].name == BATCH
    assert managed.instances["batch.b1"].input["parallelism"] == 20
    found = await read(batch_store)
    assert (found.status, found.total, found.counts) == ("received", 2, {"received": 2})


async def test_one_invalid_entry_does_not_affect_the_others(
    batches: Batches, batch_store: BatchStore, letters: DeadLetters, publisher: Promised
) -> None:
    """It is rejected, published and stored as a dead letter, so that it can be fixed and resent."""
    await batches.submit(submitted(entry("a"), entry("b", 0), 7, {"item": "cars", "quantity": 1}))

    found = await read(batch_store)
    assert [(order.order_id, order.status, order.reason) for order in found.orders] == [
        ("a", "received", None),
        ("b", "rejected", "invalid"),
        (None, "rejected", "invalid"),
        ("b1-4", "received", None),
    ]
    assert publisher.statuses_of("b") == ["rejected"]
    kept_letters = await refusals(letters)
    assert set(kept_letters) == {"b1.2", "b1.3"}
    assert kept_letters["b1.2"].topic == "orders.submitted"
    data = (await letters.letter(kept_letters["b1.2"].id)).data
    assert json.loads(data or "") == entry("b", 0)
    assert "quantity" in kept_letters["b1.2"].reason


async def test_an_order_may_be_called_like_a_batch_of_an_earlier_version(
    batches: Batches, managed: ManagedMemoryEngine
) -> None:
    """The ids of the service's own workflows have a dot, so no order's id is one of them."""
    await batches.submit(submitted(entry("batch-b1")))

    assert list(managed.instances) == ["batch.b1"]


async def test_a_generated_order_id_that_is_too_long_is_invalid(
    batches: Batches, batch_store: BatchStore
) -> None:
    """A batch with a long id must name its orders."""
    long = "b" * 63
    await batches.submit(
        BatchSubmitted(batch_id=long, orders=({"item": "cars", "quantity": 1}, entry("a")))
    )

    found = await batch_store.batch(long)
    assert found is not None
    assert [order.status for order in found.orders] == ["rejected", "received"]


async def test_a_repeated_order_counts_once_and_other_content_is_refused(
    batches: Batches, batch_store: BatchStore, letters: DeadLetters
) -> None:
    """This holds within the batch, and against orders submitted outside it."""
    same, other = entry("a"), entry("a", 2)
    await batches.submit(submitted(same, dict(same), other))

    found = await read(batch_store)
    assert [(order.order_id, order.reason) for order in found.orders] == [
        ("a", None),
        ("a", "other_content"),
    ]
    assert found.counts == {"received": 1, "rejected": 1}
    assert "other content" in (await refusals(letters))["b1.3"].reason


async def test_an_entry_whose_id_belongs_to_another_workflow_is_refused(
    batches: Batches,
    batch_store: BatchStore,
    store: OrderStore,
    letters: DeadLetters,
    publisher: Promised,
) -> None:
    """It is rejected with its reason, published and stored as a dead letter; the others run."""
    await store.record_start("b")

    for _ in range(2):
        await batches.submit(submitted(entry("a"), entry("b")))

    found = await read(batch_store)
    assert [(order.order_id, order.status, order.reason) for order in found.orders] == [
        ("a", "received", None),
        ("b", "rejected", "id_taken"),
    ]
    assert publisher.statuses_of("b") == ["rejected"]
    dead_letters = await refusals(letters)
    assert set(dead_letters) == {"b1.2"}
    assert dead_letters["b1.2"].reason.startswith("id_taken: ")
    assert [each.order_id for each in await batches.left_to_run("b1")] == ["a"]
    order = await store.order("b")
    assert order is not None
    assert (order.status, order.reason) == ("rejected", "id_taken")


async def test_an_order_submitted_before_the_batch_is_only_watched(
    batches: Batches, batch_store: BatchStore, store: OrderStore
) -> None:
    """The batch counts it but does not run it; with other content it stays unchanged."""
    await store.accept(order_of("a"))
    await store.accept(order_of("b", 5))

    await batches.submit(submitted(entry("a"), entry("b"), entry("c")))

    assert [each.order_id for each in await batches.left_to_run("b1")] == ["c"]
    assert (await read(batch_store)).counts == {"received": 2, "rejected": 1}
    assert [left.order.order_id for left in await store.unfinished()] == ["a", "b"]


async def test_only_the_batch_runs_its_orders(
    batches: Batches, intake: Intake, engine: Any, batch_store: BatchStore, store: OrderStore
) -> None:
    """An order event outside the batch and a restart of the service start no second run."""
    await batches.submit(submitted(entry("a")))

    await intake.submit(order_of("a"))
    await intake.submit_and_return(order_of("a"))
    await intake.resume()

    assert not engine.runs
    assert await store.is_run_by_batch("a")
    await end_all(store, "a")
    await batch_store.conclude("b1")
    assert not await store.is_run_by_batch("a")


async def test_another_batch_under_the_same_id_is_refused(
    batches: Batches, batch_store: BatchStore
) -> None:
    """The two are never merged."""
    await batches.submit(submitted(entry("a")))

    with pytest.raises(OtherBatchContent, match="batch b1 exists with other content"):
        await batches.submit(submitted(entry("a"), entry("b")))
    assert (await read(batch_store)).total == 1


async def test_a_failed_batch_start_is_repeated_by_the_event_or_the_next_process(
    batches: Batches, managed: ManagedMemoryEngine, batch_store: BatchStore
) -> None:
    """The batch is stored, and its event is not acknowledged."""
    managed.is_down = True
    with pytest.raises(EngineUnavailable):
        await batches.submit(submitted(entry("a")))
    assert (await read(batch_store)).status == "received"

    await batches.resume()
    managed.is_down = False

    await until(lambda: "batch.b1" in managed.instances)


async def test_a_lost_batch_goes_on_with_its_remaining_orders(
    batches: Batches, managed: ManagedMemoryEngine, store: OrderStore
) -> None:
    """Orders with a run or a final status are not run again; the others get the same runs."""
    steps = BatchActivities(batches)
    await batches.submit(submitted(*(entry(name) for name in "abc")))
    first = await steps.open_batch_activity(CTX, BatchRef(batch_id="b1"))
    await end_all(store, "a")
    managed.put("b", name=ORDER)
    del managed.instances["batch.b1"]

    await batches.resume()
    await until(lambda: "batch.b1" in managed.instances)
    again = await steps.open_batch_activity(CTX, BatchRef(batch_id="b1"))

    assert [order.order_id for order in first.orders] == ["a", "b", "c"]
    assert again.orders == first.orders[2:]
    assert len(again.orders[0].run_id) == 32


async def test_the_end_is_recorded_once_all_orders_have_ended(
    batches: Batches, managed: ManagedMemoryEngine, store: OrderStore, publisher: Promised
) -> None:
    """A repeated summary has the same event id, and the batch does not start again."""
    await batches.submit(submitted(entry("a"), entry("b", 0)))
    managed.put("a", name=ORDER)
    assert not await batches.conclude("b1")

    await end_all(store, "a")
    assert await batches.conclude("b1")
    assert await batches.conclude("b1")

    first, again = publisher.batches
    assert first == again
    assert (first.event_id, first.status, first.total_cents) == ("b1.ended", "completed", 500)
    assert first.counts == {"completed": 1, "rejected": 1}
    managed.instances.clear()
    await batches.submit(submitted(entry("a"), entry("b", 0)))
    assert not managed.instances


async def test_a_batch_without_a_valid_order_is_rejected(
    batches: Batches, publisher: Promised
) -> None:
    """There is nothing to process."""
    await batches.submit(submitted(1, 2))

    assert await batches.conclude("b1")
    (ended,) = publisher.batches
    assert (ended.status, ended.reason) == ("rejected", "no_valid_order")


async def test_failed_order_workflows_are_rolled_back_and_lost_ones_restarted(
    batches: Batches, managed: ManagedMemoryEngine
) -> None:
    """No order prevents the batch from ending."""
    await batches.submit(submitted(entry("a"), entry("b")))
    managed.put("a", RuntimeStatus.FAILED, name=ORDER)

    assert not await batches.conclude("b1")

    assert managed.instances["undo.a"].input["status"] == "failed"
    assert managed.instances["b"].input["run_id"] == run_id_of("b1", "b")


async def test_a_batch_terminated_by_force_is_rolled_back_and_closed(
    batches: Batches,
    managed: ManagedMemoryEngine,
    store: OrderStore,
    publisher: Promised,
    index: InstanceIndex,
) -> None:
    """Ended orders stay as they are; the others are rolled back, started or not."""
    undo = OrderUndo(managed, store)
    management = Management(managed, store, undo, batches, index=index, counter_pause_seconds=1)
    await batches.submit(submitted(entry("a"), entry("b")))
    await end_all(store, "a")
    with pytest.raises(Protected):
        await management.terminate("batch.b1")

    await management.terminate("batch.b1", force=True)
    await until(lambda: "undo.b" in managed.instances)
    with pytest.raises(Protected):
        await management.purge("batch.b1")
    undoing = managed.instances["undo.b"].input
    await store.record("b", undoing["run_id"], OrderStatus.CANCELLED)
    await until(lambda: bool(publisher.batches))

    assert publisher.batches[0].reason == "terminated_by_operator"
    assert publisher.batches[0].counts == {"completed": 1, "cancelled": 1}
    with pytest.raises(NotRunning):
        await management.terminate("batch.b1", force=True)
    await management.purge("batch.b1")


async def test_a_batch_terminated_through_the_engine_is_rolled_back_at_the_next_start(
    batches: Batches, managed: ManagedMemoryEngine
) -> None:
    """This includes termination by Dapr's own command."""
    await batches.submit(submitted(entry("a")))
    managed.put("batch.b1", RuntimeStatus.TERMINATED, name=BATCH)

    await batches.resume()

    await until(lambda: "undo.a" in managed.instances)


@pytest.mark.parametrize(
    ("status", "ending"),
    [
        (RuntimeStatus.FAILED, ("failed", "workflow_failed")),
        (RuntimeStatus.TERMINATED, ("cancelled", "terminated_by_operator")),
    ],
)
async def test_the_orders_of_a_stopped_batch_have_the_reason(
    batches: Batches, managed: ManagedMemoryEngine, status: RuntimeStatus, ending: tuple[str, str]
) -> None:
    """A batch that failed by itself is not reported as terminated by an operator."""
    await batches.submit(submitted(entry("a"), entry("b")))
    managed.put("a", RuntimeStatus.TERMINATED, name=ORDER)
    managed.put("batch.b1", status, name=BATCH)

    await batches.resume()

    await until(lambda: {"undo.a", "undo.b"} <= managed.instances.keys())
    undoing = [managed.instances[f"undo.{order_id}"].input for order_id in "ab"]
    assert [(one["status"], one["reason"]) for one in undoing] == [ending] * 2


async def test_batch_ids_are_reserved(
    managed: ManagedMemoryEngine, store: OrderStore, index: InstanceIndex
) -> None:
    """Neither an order nor a manual start of a workflow can take one."""
    undo = OrderUndo(managed, store)
    management = Management(managed, store, undo, index=index, counter_pause_seconds=1)

    with pytest.raises(InstanceExists):
        await management.start("never_ending_workflow", "batch.b1", None)
    with pytest.raises(Protected, match="publishing"):
        await management.start(BATCH, None, None)


async def test_batches_are_listed_newest_first(batches: Batches, batch_store: BatchStore) -> None:
    """Their counts are computed from the orders' current statuses."""
    for number in range(3):
        line = OrderLine(item="cars", quantity=1).model_dump()
        order = {"order_id": f"o{number}", "customer_id": "ann", "lines": [line]}
        await batches.submit(BatchSubmitted(batch_id=f"b{number}", orders=(order,)))

    found = await batch_store.batches(2, None)
    older = await batch_store.batches(2, found[-1][0])

    assert [batch.batch_id for _, batch in found + older] == ["b2", "b1", "b0"]
    assert found[0][1].counts == {"received": 1}


async def test_an_order_of_a_batch_is_cancelled_before_it_has_started(
    batches: Batches, batch_store: BatchStore, store: OrderStore, managed: ManagedMemoryEngine
) -> None:
    """The batch does not run it, and ends with the others; its compensation is left to orders."""
    await batches.submit(submitted(entry("a"), entry("b")))

    await store.request_cancel("a")
    end = await store.end_cancelled("a")

    assert end is not None
    assert end.change.status is OrderStatus.CANCELLED
    opened = await BatchActivities(batches).open_batch_activity(CTX, BatchRef(batch_id="b1"))
    assert [(each.order_id, each.run_id) for each in opened.orders] == [("b", run_id_of("b1", "b"))]
    await store.record("b", run_id_of("b1", "b"), OrderStatus.COMPLETED)
    assert await batches.conclude("b1")
    batch = await read(batch_store)
    assert (batch.status, batch.total) == ("completed", 2)
    left = [(each.order.order_id, each.run_id) for each in await store.unfinished()]
    assert left == [("a", run_id_of("b1", "a"))]
    assert "a" not in managed.instances


async def test_an_order_of_a_batch_that_is_to_be_cancelled_is_still_started(
    batches: Batches, store: OrderStore
) -> None:
    """Its run ends it, unless it has ended before."""
    await batches.submit(submitted(entry("a"), entry("b")))

    cancelled = await store.request_cancel("a")

    assert cancelled == Cancellation(OrderStatus.RECEIVED, is_before_charge=True)
    opened = await BatchActivities(batches).open_batch_activity(CTX, BatchRef(batch_id="b1"))
    assert [each.order_id for each in opened.orders] == ["a", "b"]
    assert await store.standing("a", run_id_of("b1", "a")) is Standing.CANCELLED
