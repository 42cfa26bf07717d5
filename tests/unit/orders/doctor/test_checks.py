"""Each kind of disagreement is found, and healed where that is safe; nothing in flight is found."""

from typing import Any

import pytest

from fakes.doctored import LINES, TOTAL_CENTS, Doctored
from orderflow_contracts.approvals import ApprovalStatus
from orderflow_contracts.batches import BatchSubmitted
from orderflow_contracts.doctor import DAMAGED_HISTORY
from orderflow_contracts.inventory import CommitRequest
from orderflow_contracts.orders import OrderStatus, OrderSubmitted, Reason
from orderflow_contracts.tasks import TaskStatus
from orderflow_hosting.database import Database
from orderflow_workflow_runtime.instances import RuntimeStatus
from orderflow_workflow_runtime.upstream.late_results import first_action_of
from orders import workflow_names as names
from orders.config import OrdersSettings
from orders.ordering.records import Standing
from orders.tables import ORDERS

RESERVED = OrderStatus.RESERVED
AWAITING = (OrderStatus.RESERVED, OrderStatus.AWAITING_APPROVAL)


@pytest.fixture
async def shop(database: Database, settings: OrdersSettings) -> Doctored:
    await database.ready()
    shop = Doctored(database, settings)
    await shop.inventory.open()
    return shop


async def set_columns(database: Database, order_id: str, **values: Any) -> None:
    change = ORDERS.update().where(ORDERS.c.order_id == order_id).values(**values)
    await database.write(lambda connection: connection.execute(change))


async def test_a_healthy_order_agrees_in_every_status(shop: Doctored) -> None:
    """Nothing is found while it runs, nor after it has ended."""
    run_id = await shop.place("o1")
    await shop.reserve("o1")
    for status in (RESERVED, OrderStatus.PAID):
        await shop.orders.record("o1", run_id, status, total_cents=TOTAL_CENTS)
        shop.wait(20)
        assert await shop.kinds() == []
        assert await shop.kinds("o1") == []
    await shop.payments.payments.charge("o1", "alice", TOTAL_CENTS)
    await shop.inventory.service.commit(CommitRequest(order_id="o1"))
    await shop.orders.record("o1", run_id, OrderStatus.COMPLETED, total_cents=TOTAL_CENTS)
    await shop.engine.become("o1", RuntimeStatus.COMPLETED)
    shop.wait(20)

    assert await shop.kinds() == []


async def test_a_new_run_carries_on_an_order_whose_run_is_lost(shop: Doctored) -> None:
    """The former run can record nothing more; the order is found alone, too."""
    run_id = await shop.place("o1", RESERVED)
    del shop.engine.instances["o1"]

    assert await shop.kinds() == [("lost_instance", "order o1")]
    assert await shop.kinds("o1") == [("lost_instance", "order o1")]
    assert await shop.kinds("o2") == []
    await shop.heal()

    await assert_begun_again(shop, run_id)


async def assert_begun_again(shop: Doctored, former: str) -> None:
    """Check that a new run owns the order, and that nothing is found any more."""
    run = shop.run_of("o1")
    assert (run["order_id"], run["begun_again"], run["is_checked"]) == ("o1", True, True)
    assert run["run_id"] != former
    assert run["first_action"] == first_action_of(run["run_id"])
    assert await shop.orders.standing("o1", former) is Standing.SUPERSEDED
    assert await shop.orders.standing("o1", run["run_id"]) is Standing.MAY_ACT
    assert await shop.kinds() == []


async def test_a_lost_run_that_had_recorded_nothing_is_started_again(shop: Doctored) -> None:
    """It is the same run, and its actions have new numbers: late results do not reach it."""
    run_id = await shop.place("o1")
    del shop.engine.instances["o1"]

    assert await shop.kinds() == [("lost_instance", "order o1")]
    await shop.heal()

    run = shop.run_of("o1")
    assert (run["run_id"], run["begun_again"], run["is_checked"]) == (run_id, False, True)
    assert run["first_action"] == first_action_of(run_id) > 0
    assert await shop.kinds() == []


@pytest.mark.parametrize("status", [None, RESERVED])
async def test_an_order_whose_workflow_cannot_be_loaded_is_left_to_the_replacement(
    shop: Doctored, status: OrderStatus | None
) -> None:
    """The doctor reports it, also alone, until the instance is replaced; it heals nothing."""
    run_id = await shop.place("o1", *([status] if status else []))
    await shop.place("o2", RESERVED)
    shop.engine.damaged.add("o1")

    for only in (None, "o1"):
        (found,) = await shop.found(only)
        assert (found.kind, found.about) == (DAMAGED_HISTORY, "order o1")
        assert found.heal is None
        assert "history key missing from state store" in found.detail
        assert f"it is {status or OrderStatus.RECEIVED}" in found.detail
    assert await shop.kinds("o2") == []
    assert await shop.heal() == ["order o1"]
    assert shop.run_of("o1")["run_id"] == run_id

    shop.engine.damaged.clear()
    assert await shop.kinds() == []


async def test_a_rollback_that_cannot_be_loaded_is_found(shop: Doctored) -> None:
    """The order's own workflow is not read any more."""
    await shop.place("o1", RESERVED)
    await shop.ordering.undo.undo("o1", None)
    shop.engine.damaged.add("o1")
    assert await shop.kinds() == []

    shop.engine.damaged.add("undo.o1")

    assert await shop.kinds() == [("damaged_history", "order o1")]


async def test_an_order_that_was_never_started_is_started(shop: Doctored) -> None:
    """The replica that accepted it stopped before it reached the engine."""
    shop.engine.is_down = True
    order = OrderSubmitted(order_id="o1", customer_id="alice", lines=LINES)
    await shop.ordering.intake.submit_and_return(order)
    await shop.background.stop()
    shop.engine.is_down = False

    assert await shop.kinds() == [("lost_instance", "order o1")]
    await shop.heal()

    assert shop.run_of("o1")["order_id"] == "o1"
    assert await shop.kinds() == []


async def test_an_order_whose_run_has_ended_is_rolled_back(shop: Doctored) -> None:
    """Its workflow was terminated without the service; a lost rollback is started again."""
    await shop.place("o1", RESERVED)
    await shop.engine.terminate("o1")

    assert await shop.kinds() == [("lost_instance", "order o1")]
    await shop.heal()
    assert shop.undo_of("o1")
    assert await shop.kinds() == []

    del shop.engine.instances["undo.o1"]
    assert await shop.kinds() == [("lost_instance", "order o1")]
    await shop.heal()
    assert shop.undo_of("o1")


async def test_another_run_under_the_id_of_an_order_is_replaced(shop: Doctored) -> None:
    """Somebody started it before the order was placed; the order's own run takes its place."""
    run_id = await shop.place("o1")
    shop.engine.put("o1", name=names.ORDER_PROCESSING, payload={"run_id": "made up"})

    assert await shop.kinds() == [("unknown_instance", "order o1")]
    await shop.heal()

    assert shop.run_of("o1")["run_id"] == run_id
    assert await shop.kinds() == []


@pytest.mark.parametrize(
    ("instance_id", "name"),
    [
        ("o9", names.ORDER_PROCESSING),
        ("undo.o9", names.ORDER_UNDO),
        ("batch.b9", names.ORDER_BATCH),
    ],
)
async def test_a_workflow_that_nobody_ordered_is_terminated(
    shop: Doctored, instance_id: str, name: str
) -> None:
    """Nothing is found once it is."""
    shop.engine.put(instance_id, name=name)

    assert await shop.kinds() == [("unknown_instance", f"workflow {instance_id}")]
    await shop.heal()

    assert shop.engine.status_of(instance_id) is RuntimeStatus.TERMINATED
    assert await shop.kinds() == []


async def test_a_finished_workflow_that_nobody_ordered_is_left_to_a_person(shop: Doctored) -> None:
    """It had no effects, and is evidence until somebody purges it."""
    shop.engine.put("o9", RuntimeStatus.COMPLETED, name=names.ORDER_PROCESSING)

    assert await shop.heal() == ["workflow o9"]
    assert await shop.kinds("o9") == [("unknown_instance", "workflow o9")]
    await shop.engine.purge("o9")
    assert await shop.kinds() == []


@pytest.mark.parametrize("damaged", ["o1", "batch.b1"])
async def test_a_workflow_that_cannot_be_loaded_hides_no_other(
    shop: Doctored, damaged: str
) -> None:
    """It is named beside what else is found on the same page."""
    for instance_id, name in (("o1", names.ORDER_PROCESSING), ("batch.b1", names.ORDER_BATCH)):
        shop.engine.put(instance_id, name=name)
    shop.engine.damaged.add(damaged)

    (other,) = {"o1", "batch.b1"} - {damaged}
    assert set(await shop.kinds()) == {
        ("damaged_history", f"workflow {damaged}"),
        ("unknown_instance", f"workflow {other}"),
    }


async def test_workflows_of_operators_are_not_looked_at(shop: Doctored) -> None:
    """They belong to nobody's order."""
    shop.engine.put("mine", name=names.INTERACTIVE_HELLO)
    shop.engine.put("stock-monitor.cars", name=names.STOCK_MONITOR)

    assert await shop.kinds() == []


async def test_stock_reserved_for_no_order_is_released(shop: Doctored) -> None:
    """It was reserved through the sidecar by hand."""
    await shop.reserve("o9")

    assert await shop.kinds() == [("reserved_without_order", "order o9")]
    assert await shop.kinds("o9") == [("reserved_without_order", "order o9")]
    await shop.heal()

    assert shop.inventory.quantities("cars") == (100, 0)
    assert await shop.kinds() == []


async def test_stock_reserved_for_an_order_that_has_ended_is_released(shop: Doctored) -> None:
    """A moment after its end, the release may still be under way."""
    await shop.place("o1", RESERVED, OrderStatus.FAILED, reason=Reason.PAYMENT_UNAVAILABLE)
    await shop.reserve("o1")
    assert await shop.kinds() == []

    shop.wait(20)
    assert await shop.kinds() == [("reserved_after_end", "order o1")]
    await shop.heal()
    assert shop.inventory.quantities("cars") == (100, 0)


async def test_the_stock_of_a_completed_order_is_left_to_a_person(shop: Doctored) -> None:
    """Whether it was shipped is not known."""
    await shop.place("o1", RESERVED, OrderStatus.COMPLETED)
    await shop.reserve("o1")
    shop.wait(20)

    assert await shop.heal() == ["order o1"]
    assert shop.inventory.quantities("cars") == (100, 4)


async def test_an_item_that_differs_from_its_reservations_is_found(shop: Doctored) -> None:
    """Reservations from before they were listed count; a broken sum does not go unseen."""
    await shop.place("o1", RESERVED)
    await shop.reserve("o1")
    buckets = [key for key in shop.inventory.store.values if key.startswith("open:")]
    for key in buckets:
        del shop.inventory.store.values[key]
    assert await shop.kinds() == []

    item = shop.inventory.store.items()["cars"].change(reserved=3)
    shop.inventory.store.put("item:cars", item.model_dump_json().encode())
    assert await shop.kinds() == [("stock_differs", "item cars")]


async def test_a_charge_for_an_order_that_failed_is_refunded(shop: Doctored) -> None:
    """The refund is recorded, once."""
    await shop.payments.payments.charge("o1", "alice", TOTAL_CENTS)
    await shop.place("o1", RESERVED, OrderStatus.FAILED, reason=Reason.INVENTORY_UNAVAILABLE)
    assert await shop.kinds() == []
    shop.wait(20)

    assert await shop.kinds() == [("charged_without_order", "order o1")]
    assert await shop.kinds("o1") == [("charged_without_order", "order o1")]
    await shop.heal()

    kinds = [entry.kind for entry in await shop.payments.store.entries("o1")]
    assert kinds == ["charge", "refund"]
    assert await shop.kinds() == []


async def test_a_charge_for_no_order_is_refunded(shop: Doctored) -> None:
    """The order is not on record."""
    await shop.payments.payments.charge("o9", "alice", TOTAL_CENTS)

    assert await shop.kinds() == [("charged_without_order", "order o9")]
    await shop.heal()
    assert await shop.kinds() == []


async def test_a_pending_request_of_an_order_that_moved_on_is_withdrawn(shop: Doctored) -> None:
    """Once the withdrawal is promised, nothing is found."""
    await shop.place("o1", RESERVED, OrderStatus.FAILED, reason=Reason.WORKFLOW_FAILED)
    shop.approvals.put("o1", ApprovalStatus.PENDING)

    assert await shop.kinds() == [("approval_outlived", "order o1")]
    await shop.heal()

    assert [each.order_id for each in shop.promised.withdrawals] == ["o1"]
    assert await shop.kinds() == []


async def test_a_request_that_approvals_does_not_know_is_published_again(shop: Doctored) -> None:
    """A moment after the order began to wait, the request is on its way."""
    await shop.place("o1", *AWAITING)
    assert await shop.kinds() == []

    shop.wait(40)
    assert await shop.kinds() == [("approval_missing", "order o1")]
    await shop.heal()

    request = shop.promised.requests[0]
    assert (request.order_id, request.total_cents, request.levels) == ("o1", TOTAL_CENTS, 1)
    assert await shop.kinds() == []


async def test_a_decision_that_the_order_has_not_taken_is_raised_again(shop: Doctored) -> None:
    """A decision of a moment ago is on its way."""
    await shop.place("o1", *AWAITING)
    shop.wait(40)
    shop.approvals.put("o1", ApprovalStatus.APPROVED, decided_at=shop.now)
    assert await shop.kinds() == []

    shop.wait(40)
    assert await shop.kinds() == [("decision_not_taken", "order o1")]
    await shop.heal()

    (instance_id, event, _) = shop.engine.raised[0]
    assert (instance_id, event) == ("o1", "approval_decided")


async def test_an_order_with_a_withdrawn_request_is_left_to_a_person(shop: Doctored) -> None:
    """Approvals would not take the request again."""
    await shop.place("o1", *AWAITING)
    shop.approvals.put("o1", ApprovalStatus.WITHDRAWN)
    shop.wait(40)

    assert await shop.kinds() == [("approval_missing", "order o1")]
    assert await shop.heal() == ["order o1"]


@pytest.mark.parametrize(
    ("order_id", "ended_as"), [("o1", TaskStatus.WITHDRAWN), (None, TaskStatus.FAILED)]
)
async def test_a_task_without_a_workflow_ends(
    shop: Doctored, order_id: str | None, ended_as: TaskStatus
) -> None:
    """It is withdrawn if its order has ended, and fails if it has no order."""
    await shop.place("o1", RESERVED, OrderStatus.CANCELLED, reason=Reason.CANCELLED_ON_REQUEST)
    await shop.tasks.store.receive("pick-o1", "pick.o1", "Pick", order_id=order_id)
    assert await shop.kinds() == []

    shop.wait(20)
    assert await shop.kinds() == [("task_without_workflow", "task pick-o1")]
    assert await shop.kinds("o1") == [("task_without_workflow", "task pick-o1")]
    await shop.heal()

    task = await shop.tasks.store.task("pick-o1")
    assert task is not None
    assert task.status is ended_as


async def test_the_task_of_an_unfinished_order_is_left_to_a_person(shop: Doctored) -> None:
    """The order may start it again, or must be cancelled."""
    await shop.place("o1", RESERVED, OrderStatus.PAID)
    await shop.tasks.store.receive("pick-o1", "pick.o1", "Pick", order_id="o1")
    shop.wait(20)

    assert await shop.heal() == ["task pick-o1"]


async def test_a_workflow_whose_task_is_not_stored_is_left_to_a_person(shop: Doctored) -> None:
    """Its first step stores the task a moment after the start."""
    await shop.place("o1", RESERVED, OrderStatus.PAID)
    shop.engine.put("pick.o1", name=names.TASK_PROCESSING)
    assert await shop.kinds() == []

    shop.wait(40)
    assert await shop.kinds() == [("task_missing", "task pick-o1")]
    assert await shop.kinds("o1") == [("task_missing", "task pick-o1")]
    await shop.tasks.store.receive("pick-o1", "pick.o1", "Pick", order_id="o1")
    assert await shop.kinds() == []


async def test_a_cancelled_order_must_be_compensated_within_a_minute(
    shop: Doctored, database: Database
) -> None:
    """Stock and money are left to the compensation meanwhile; a failed one is for a person."""
    await shop.payments.payments.charge("o1", "alice", TOTAL_CENTS)
    await shop.place("o1", RESERVED, OrderStatus.CANCELLED, reason=Reason.CANCELLED_ON_REQUEST)
    await shop.reserve("o1")
    await set_columns(database, "o1", compensation="outstanding")
    shop.wait(30)
    assert await shop.kinds() == []

    shop.wait(40)
    assert await shop.kinds() == [("compensation_outstanding", "order o1")]
    assert await shop.kinds("o1") == [("compensation_outstanding", "order o1")]

    await set_columns(database, "o1", compensation="failed")
    assert await shop.kinds() == [("compensation_failed", "order o1")]
    assert await shop.heal() == ["order o1"]


async def test_a_lost_compensation_of_a_cancelled_order_is_started_again(
    shop: Doctored, database: Database
) -> None:
    """Its run is lost, so the order is rolled back by another."""
    await shop.place("o1", RESERVED, OrderStatus.CANCELLED, reason=Reason.CANCELLED_ON_REQUEST)
    await set_columns(database, "o1", compensation="outstanding")
    del shop.engine.instances["o1"]

    assert await shop.kinds() == [("lost_instance", "order o1")]
    await shop.heal()

    assert shop.undo_of("o1")


async def test_an_order_that_needs_attention_is_left_to_a_person(shop: Doctored) -> None:
    """While a retry is running, nothing is found; a lost retry is started again."""
    await shop.place("o1", RESERVED, OrderStatus.NEEDS_ATTENTION, reason=Reason.UNDO_FAILED)
    assert await shop.kinds() == [("needs_attention", "order o1")]
    assert await shop.heal() == ["order o1"]

    await shop.attention.store.begin("o1", "olga")
    assert await shop.kinds() == []
    shop.wait(20)
    assert await shop.kinds() == [("lost_instance", "order o1")]
    shop.engine.put("undo.o1.1", name=names.ORDER_UNDO)
    assert await shop.kinds() == []

    await shop.attention.store.conclude("o1", 1, [])
    assert await shop.kinds() == []


async def test_a_lost_batch_is_started_again(shop: Doctored) -> None:
    """Its orders that it has not started yet are no disagreement."""
    await shop.batches.batches.submit(_batch("b1", "o1", "o2"))
    assert await shop.kinds() == []

    del shop.engine.instances["batch.b1"]
    assert await shop.kinds() == [("lost_instance", "batch b1")]
    assert await shop.kinds("o1") == [("lost_instance", "batch b1")]
    await shop.heal()

    assert shop.engine.status_of("batch.b1") is RuntimeStatus.RUNNING
    assert await shop.kinds() == []


async def test_a_batch_whose_orders_have_all_ended_is_concluded(shop: Doctored) -> None:
    """Its workflow waits for an order that was lost and ran again without it."""
    await shop.batches.batches.submit(_batch("b1", "o1"))
    unfinished = await shop.records.unfinished(0, 10)
    run_id = unfinished[0].known.run_id or ""
    await shop.orders.record("o1", run_id, OrderStatus.COMPLETED)
    assert await shop.kinds() == []

    shop.wait(400)
    assert await shop.kinds() == [("lost_instance", "batch b1")]
    await shop.heal()

    batch = await shop.batches.batches.batch("b1")
    assert batch is not None
    assert batch.status == "completed"
    assert shop.engine.status_of("batch.b1") is RuntimeStatus.TERMINATED
    assert await shop.kinds() == []


async def test_a_lost_order_of_a_batch_runs_again(shop: Doctored) -> None:
    """It had begun, so the batch will not start it."""
    await shop.batches.batches.submit(_batch("b1", "o1"))
    unfinished = await shop.records.unfinished(0, 10)
    run_id = unfinished[0].known.run_id or ""
    await shop.orders.record("o1", run_id, RESERVED, total_cents=TOTAL_CENTS)

    assert await shop.kinds() == [("lost_instance", "order o1")]
    await shop.heal()

    await assert_begun_again(shop, run_id)


def _batch(batch_id: str, *order_ids: str) -> BatchSubmitted:
    orders = tuple({"order_id": each, "item": "cars", "quantity": 1} for each in order_ids)
    return BatchSubmitted(batch_id=batch_id, orders=orders)
