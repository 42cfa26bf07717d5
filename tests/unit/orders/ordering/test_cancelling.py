"""Cancelling an order before its charge, whatever its step is waiting for."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from fakes.orders_ports import MemoryEngine, Promised, RoomInventory
from fakes.pauses import short_pause
from fakes.waiting import until
from fakes.workflow_run import Event, WorkflowRun, carried_out_by
from orderflow_contracts.orders import OrderLine, OrderStatus, OrderSubmitted
from orderflow_hosting.background import BackgroundWork
from orderflow_hosting.database import Database
from orders.attention.activities import AttentionActivities
from orders.attention.service import Attention
from orders.attention.store import AttentionStore
from orders.ordering import service
from orders.ordering.activities import OrderActivities
from orders.ordering.service import GRACE_SECONDS, Intake
from orders.ordering.store import OrderStore
from orders.ordering.undo import OrderUndo
from orders.ordering.undo_workflow import order_undo_workflow
from orders.ordering.workflow import order_processing_workflow
from orders.payments.service import RecordedPayments

ORDER = OrderSubmitted(
    order_id="o1", customer_id="alice", lines=(OrderLine(item="cars", quantity=11),)
)
CANCEL = Event("cancel_requested")
DOWN = ConnectionError("does not answer")
RELEASE = "release_inventory_activity"


@pytest.fixture(autouse=True)
def shop(
    store: OrderStore, inventory: RoomInventory, payments: RecordedPayments, publisher: Promised
) -> Callable[[], Any]:
    """Return a check that the order is cancelled, and has no effect left."""

    async def is_undone() -> None:
        stored = await store.order("o1")
        assert stored is not None
        statuses = [entry.status for entry in stored.history]
        assert (stored.status, stored.reason) == ("cancelled", "cancelled_on_request")
        assert statuses.count(OrderStatus.CANCELLED) == 1
        assert publisher.statuses_of("o1") == statuses
        assert inventory.quantities("cars") == (100, 0)
        assert sum(entry.amount_cents for entry in await payments.store.entries("o1")) == 0
        assert await store.unfinished() == []
        assert await store.cancels_to_hand_over() == []

    return is_undone


@pytest.fixture(autouse=True)
def short_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let orders end soon after they are cancelled."""
    monkeypatch.setattr(service, "GRACE_SECONDS", 0.01)


async def status(store: OrderStore) -> str:
    stored = await store.order("o1")
    assert stored is not None
    return stored.status


async def has_ended(store: OrderStore) -> None:
    """Wait until the order has ended as cancelled."""

    async def is_cancelled() -> bool:
        return await status(store) == "cancelled"

    await until(is_cancelled)
    (left,) = await store.unfinished()
    assert (left.order.order_id, left.status) == ("o1", "cancelled")


@pytest.mark.parametrize("is_down", [False, True])
async def test_an_order_is_cancelled_while_it_waits_for_approval(
    intake: Intake,
    engine: MemoryEngine,
    activities: OrderActivities,
    store: OrderStore,
    shop: Callable[[], Any],
    *,
    is_down: bool,
) -> None:
    """Soon, also if the engine is unavailable; its run compensates when the event arrives."""
    await intake.submit(ORDER)
    by_activities = carried_out_by(activities)

    async def answer(name: str, payload: Any) -> object:
        result = await by_activities(name, payload)
        if name == "request_approval_activity":
            engine.is_down = is_down
            await intake.cancel("o1")
            await has_ended(store)
            engine.is_down = False
            await until(lambda: ("o1", CANCEL.name, None) in engine.raised)
        return result

    (run,) = engine.runs["o1"]
    await WorkflowRun(order_processing_workflow, run, answer, happenings=[CANCEL]).run_to_end()

    await shop()


async def test_an_order_is_cancelled_while_its_reservation_is_retried(
    intake: Intake,
    engine: MemoryEngine,
    activities: OrderActivities,
    inventory: RoomInventory,
    store: OrderStore,
    shop: Callable[[], Any],
) -> None:
    """The next attempt asks inventory for nothing, even if it is available again."""
    await intake.submit(ORDER)
    by_activities = carried_out_by(activities)
    inventory.failures.append(DOWN)

    async def answer(name: str, payload: Any) -> object:
        if name == "verify_inventory_activity":
            with pytest.raises(ConnectionError):
                await by_activities(name, payload)
            await intake.cancel("o1")
            await has_ended(store)
        return await by_activities(name, payload)

    (run,) = engine.runs["o1"]
    await WorkflowRun(order_processing_workflow, run, answer).run_to_end()

    await shop()


async def test_an_order_is_cancelled_before_its_workflow_has_started(
    intake: Intake,
    engine: MemoryEngine,
    activities: OrderActivities,
    store: OrderStore,
    shop: Callable[[], Any],
) -> None:
    """No workflow is started for it later; it is undone instead."""
    engine.is_down = True
    await intake.submit_and_return(ORDER)
    await intake.cancel("o1")
    await has_ended(store)
    await intake._background.stop()
    engine.is_down = False

    async with BackgroundWork(short_pause) as background:
        (left,) = await store.unfinished()
        await next_process(intake, background).resume_order(left)

    assert engine.runs["o1"] == []
    (undone,) = engine.undone
    await WorkflowRun(order_undo_workflow, undone, undoing(activities)).run_to_end()
    await shop()


async def test_the_next_process_ends_an_order_that_was_cancelled(
    intake: Intake,
    engine: MemoryEngine,
    activities: OrderActivities,
    store: OrderStore,
    shop: Callable[[], Any],
) -> None:
    """The first one died before the order ended; its run waits for an activity meanwhile."""
    await intake.submit(ORDER)
    await intake._background.stop()
    await intake.cancel("o1")
    assert await status(store) == "received"

    async with BackgroundWork(short_pause) as background:
        await next_process(intake, background).resume()
        await has_ended(store)

    (run,) = engine.runs["o1"]
    answer = carried_out_by(activities)
    await WorkflowRun(order_processing_workflow, run, answer).run_to_end()
    await shop()


async def test_a_run_that_compensates_in_time_records_the_end_itself(
    intake: Intake,
    engine: MemoryEngine,
    activities: OrderActivities,
    store: OrderStore,
    shop: Callable[[], Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nothing is left to compensate then."""
    monkeypatch.setattr(service, "GRACE_SECONDS", 60)
    await intake.submit(ORDER)
    by_activities = carried_out_by(activities)

    async def answer(name: str, payload: Any) -> object:
        if name == RELEASE:
            assert await status(store) == "awaiting_approval"
        result = await by_activities(name, payload)
        if name == "request_approval_activity":
            await intake.cancel("o1")
        return result

    (run,) = engine.runs["o1"]
    await WorkflowRun(order_processing_workflow, run, answer, happenings=[CANCEL]).run_to_end()

    await shop()


def test_the_grace_of_a_run_is_part_of_the_two_seconds() -> None:
    """A cancelled order ends within two seconds, whatever its run waits for."""
    assert GRACE_SECONDS <= 1


@pytest.mark.parametrize("is_ended", [False, True], ids=["by its run", "before its run"])
async def test_a_compensation_that_fails_for_good_leaves_the_order_cancelled(
    intake: Intake,
    engine: MemoryEngine,
    activities: OrderActivities,
    inventory: RoomInventory,
    store: OrderStore,
    database: Database,
    shop: Callable[[], Any],
    *,
    is_ended: bool,
) -> None:
    """The order needs attention all the same, until a retry has settled it."""
    await intake.submit(ORDER)
    by_activities = carried_out_by(activities)

    async def answer(name: str, payload: Any) -> object:
        if name == RELEASE:
            raise DOWN
        result = await by_activities(name, payload)
        if name == "request_approval_activity" and is_ended:
            await intake.cancel("o1")
            await has_ended(store)
        elif name == "request_approval_activity":
            await store.request_cancel("o1")
        return result

    (run,) = engine.runs["o1"]
    await WorkflowRun(order_processing_workflow, run, answer, happenings=[CANCEL]).run_to_end()
    assert await status(store) == "cancelled"
    assert inventory.quantities("cars") == (100, 11)

    async with BackgroundWork(short_pause) as background:
        attention = Attention(
            AttentionStore(database), engine, OrderUndo(engine, store), background
        )
        found = await attention.of("o1")
        assert found is not None
        assert found.settled_at is None
        await attention.retry("o1", "olga")
        await until(lambda: len(engine.undone) == 1)
        retried = undoing(activities, AttentionActivities(attention))
        await WorkflowRun(order_undo_workflow, engine.undone[0], retried).run_to_end()
        settled = await attention.of("o1")

    assert settled is not None
    assert settled.settled_by == "olga"
    await shop()


def next_process(intake: Intake, background: BackgroundWork) -> Intake:
    """Make the intake of the process that follows."""
    return Intake(
        *(intake._settings, intake._store, intake._engine),
        *(intake._feed, intake._order_undo, background),
        new_runs=intake._new_runs,
    )


def undoing(activities: OrderActivities, attention: AttentionActivities | None = None) -> Any:
    """Carry out the activities of a run that undoes an order without a task."""
    known = {
        name: getattr(each, name)
        for each in (activities, attention)
        for name in dir(each)
        if name.endswith("_activity")
    }
    carry_out = carried_out_by(SimpleNamespace(**known))

    async def answer(name: str, payload: Any) -> object:
        return None if name == "withdraw_task_activity" else await carry_out(name, payload)

    return answer
