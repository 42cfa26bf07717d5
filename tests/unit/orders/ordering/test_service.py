"""Accepting orders: each gets one run, whatever fails in the engine and the process."""

import asyncio
from collections.abc import Callable

import pytest

from fakes.orders_ports import MemoryEngine, Promised
from fakes.pauses import short_pause
from fakes.waiting import until
from orderflow_contracts.approvals import Decision, RaiseRequest
from orderflow_contracts.fields import Clock, now
from orderflow_contracts.orders import OrderLine, OrderStatus, OrderSubmitted
from orderflow_hosting.background import BackgroundWork
from orderflow_hosting.database import Database
from orderflow_workflow_runtime.ports import EngineUnavailable
from orderflow_workflow_runtime.upstream.late_results import first_action_of
from orders.config import OrdersSettings
from orders.domain import OrderEnded, UnknownOrder
from orders.ordering import service
from orders.ordering.feed import StatusFeed
from orders.ordering.new_runs import NewRuns
from orders.ordering.records import OtherContent
from orders.ordering.service import Intake
from orders.ordering.steps import COMPENSATIONS
from orders.ordering.store import OrderStore
from orders.ordering.undo import OrderUndo

ORDER = OrderSubmitted(
    order_id="o1", customer_id="alice", lines=(OrderLine(item="cars", quantity=11),)
)
OTHER = ORDER.model_copy(update={"customer_id": "eve"})
DECISION = RaiseRequest(order_id="o1", data=Decision(approved=True, approver="bob"))


@pytest.fixture
def next_process(
    settings: OrdersSettings,
    store: OrderStore,
    engine: MemoryEngine,
    feed: StatusFeed,
    new_runs: NewRuns,
) -> Callable[..., Intake]:
    undo = OrderUndo(engine, store)

    def start(clock: Clock = now) -> Intake:
        background = BackgroundWork(short_pause)
        return Intake(settings, store, engine, feed, undo, background, clock, new_runs=new_runs)

    return start


async def test_an_order_gets_one_run_with_its_configuration(
    intake: Intake, engine: MemoryEngine, database: Database
) -> None:
    """The input has the order, the run that was recorded with it, and the current settings."""
    store = OrderStore(database)
    intake._store = store
    await intake.submit(ORDER)

    (run,) = engine.runs["o1"]
    (kept,) = await store.unfinished()
    assert (run.order_id, run.customer_id, run.lines) == ("o1", "alice", ORDER.lines)
    assert run.run_id == kept.run_id
    assert not run.begun_again
    assert run.approval_threshold_cents == 50_000_00
    assert run.approval_timeout_seconds == 24 * 3600
    assert len(run.run_id) == 32


async def test_duplicates_while_it_runs_start_nothing(intake: Intake, engine: MemoryEngine) -> None:
    """A hundred copies of an order start one run."""
    await asyncio.gather(*(intake.submit(ORDER) for _ in range(100)))

    assert len(engine.runs["o1"]) == 1


@pytest.mark.parametrize("status", [status for status in OrderStatus if status != "received"])
async def test_duplicates_of_an_order_in_progress_start_nothing(
    intake: Intake, engine: MemoryEngine, store: OrderStore, status: OrderStatus
) -> None:
    """This holds even if the engine has purged the instance."""
    await intake.submit(ORDER)
    await store.record("o1", "run", status)
    engine.active.clear()

    await intake.submit(ORDER)
    await intake.submit_and_return(ORDER)

    assert len(engine.runs["o1"]) == 1


async def test_other_content_is_refused_and_starts_nothing(
    intake: Intake, engine: MemoryEngine
) -> None:
    """The same id with other content has no effect."""
    await intake.submit(ORDER)

    for submit in (intake.submit, intake.submit_and_return):
        with pytest.raises(OtherContent):
            await submit(OTHER)
    assert len(engine.runs["o1"]) == 1


async def test_an_event_is_not_acknowledged_while_the_engine_is_down(
    intake: Intake, engine: MemoryEngine, store: OrderStore
) -> None:
    """The order is stored, and starts when its event is delivered again."""
    engine.is_down = True
    with pytest.raises(EngineUnavailable):
        await intake.submit(ORDER)
    assert await store.order("o1") is not None

    engine.is_down = False
    await intake.submit(ORDER)

    assert len(engine.runs["o1"]) == 1


async def test_a_start_whose_response_was_lost_counts(intake: Intake, engine: MemoryEngine) -> None:
    """The engine reports that the instance is active."""
    engine.loses_next_answer = True
    with pytest.raises(EngineUnavailable):
        await intake.submit(ORDER)

    await intake.submit(ORDER)

    assert len(engine.runs["o1"]) == 1


async def test_placing_an_order_over_http_does_not_wait_for_the_engine(
    intake: Intake, engine: MemoryEngine
) -> None:
    """The order is accepted, and starts when the engine is available again."""
    engine.is_down = True
    await intake.submit_and_return(ORDER)
    assert not engine.runs["o1"]

    engine.is_down = False

    await until(lambda: len(engine.runs["o1"]) == 1)


async def test_the_next_process_starts_orders_that_were_not_started(
    intake: Intake, engine: MemoryEngine, next_process: Callable[..., Intake]
) -> None:
    """The first process died after storing the order."""
    engine.is_down = True
    orders = [ORDER.model_copy(update={"order_id": f"o{number}"}) for number in range(40)]
    for order in orders:
        await intake.submit_and_return(order)
    await intake._background.stop()
    engine.is_down = False

    second = next_process()
    await second.resume()

    await until(lambda: all(len(engine.runs[order.order_id]) == 1 for order in orders))
    await second._background.stop()


async def test_resuming_retries_until_the_engine_answers(
    intake: Intake, engine: MemoryEngine, next_process: Callable[..., Intake]
) -> None:
    """The service may start before its sidecar."""
    engine.is_down = True
    await intake.submit_and_return(ORDER)
    await intake._background.stop()
    second = next_process()
    await second.resume()

    engine.is_down = False

    await until(lambda: len(engine.runs["o1"]) == 1)
    await second._background.stop()


async def test_resuming_does_not_restart_running_orders(
    intake: Intake, engine: MemoryEngine, store: OrderStore, next_process: Callable[..., Intake]
) -> None:
    """An order that a run owns is not started again."""
    await intake.submit(ORDER)
    await store.record("o1", engine.runs["o1"][0].run_id, OrderStatus.RESERVED)
    engine.active.clear()

    second = next_process()
    await second.resume()
    await until(lambda: not second._background)

    assert len(engine.runs["o1"]) == 1


async def test_resuming_restarts_a_run_that_the_engine_lost(
    intake: Intake, engine: MemoryEngine, store: OrderStore, next_process: Callable[..., Intake]
) -> None:
    """After losing its last writes in a crash, the engine gets a run with an id of its own."""
    await intake.submit(ORDER)
    (lost,) = engine.runs.pop("o1")
    await store.record("o1", lost.run_id, OrderStatus.RESERVED)
    engine.active.clear()

    second = next_process()
    await second.resume()
    await until(lambda: not second._background)

    (again,) = engine.runs["o1"]
    compensations = tuple(action.activity for action in COMPENSATIONS)
    restarted = {
        "run_id": again.run_id,
        "begun_again": True,
        "compensations": compensations,
        "received_at": None,
        "first_action": first_action_of(again.run_id),
    }
    assert again == lost.model_copy(update=restarted)
    assert again.run_id != lost.run_id
    assert await store.record("o1", lost.run_id, OrderStatus.PAID) is None
    assert await store.record("o1", again.run_id, OrderStatus.PAID) is not None


async def test_an_invalid_order_is_published_as_rejected(
    intake: Intake, publisher: Promised
) -> None:
    """Each repetition has the same event id."""
    await intake.reject_invalid("o1")
    await intake.reject_invalid("o1")

    assert [(change.event_id, change.reason) for change in publisher.statuses] == [
        ("o1.1", "invalid"),
        ("o1.1", "invalid"),
    ]


async def test_an_invalid_order_with_a_known_id_publishes_nothing(
    intake: Intake, publisher: Promised
) -> None:
    """The existing order is not reported as rejected."""
    await intake.submit(ORDER)

    await intake.reject_invalid("o1")

    assert publisher.statuses_of("o1") == ["received"]


async def test_cancelling_wakes_an_order_that_waits_for_approval(
    intake: Intake, engine: MemoryEngine, store: OrderStore
) -> None:
    """The cancel event ends the wait, even if the engine was down meanwhile."""
    await intake.submit(ORDER)
    await store.record("o1", "run", OrderStatus.AWAITING_APPROVAL)
    engine.is_down = True
    await intake.cancel("o1")
    engine.is_down = False

    await until(lambda: engine.raised == [("o1", "cancel_requested", None)])


async def test_cancelling_an_order_that_does_not_wait_raises_nothing(
    intake: Intake, engine: MemoryEngine, store: OrderStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The workflow finds the request with its next status; otherwise it ends without that."""
    monkeypatch.setattr(service, "GRACE_SECONDS", 0.01)
    await intake.submit(ORDER)

    await intake.cancel("o1")

    assert len(intake._background) == 1
    await until(lambda: not intake._background)
    stored = await store.order("o1")
    assert stored is not None
    assert stored.status is OrderStatus.CANCELLED
    record = await store.record("o1", "run", OrderStatus.RESERVED)
    assert record is not None
    assert record.cancelled
    assert engine.raised == []


async def test_the_next_process_hands_over_a_cancellation(
    intake: Intake, engine: MemoryEngine, store: OrderStore, next_process: Callable[..., Intake]
) -> None:
    """A cancellation survives the process that accepted it."""
    await intake.submit(ORDER)
    await store.record("o1", "run", OrderStatus.AWAITING_APPROVAL)
    engine.is_down = True
    await intake.cancel("o1")
    await intake._background.stop()
    engine.is_down = False

    second = next_process()
    await second.resume()

    await until(lambda: len(engine.raised) == 1)
    await second._background.stop()


async def test_an_obsolete_cancellation_is_no_longer_retried(
    intake: Intake, engine: MemoryEngine, store: OrderStore
) -> None:
    """The order no longer waits."""
    await intake.submit(ORDER)
    await store.record("o1", "run", OrderStatus.AWAITING_APPROVAL)
    engine.is_down = True
    await intake.cancel("o1")

    await store.record("o1", "run", OrderStatus.REJECTED)

    await until(lambda: not intake._background)
    assert engine.raised == []


async def test_unknown_and_ended_orders_cannot_be_cancelled(
    intake: Intake, store: OrderStore
) -> None:
    """Each case has its own problem."""
    with pytest.raises(UnknownOrder):
        await intake.cancel("o1")
    await intake.submit(ORDER)
    await store.record("o1", "run", OrderStatus.COMPLETED)

    with pytest.raises(OrderEnded, match="completed"):
        await intake.cancel("o1")


async def test_a_decision_is_handed_to_the_workflow(
    intake: Intake, engine: MemoryEngine, store: OrderStore
) -> None:
    """The event has approval, approver and comment."""
    await intake.submit(ORDER)
    await store.record("o1", "run", OrderStatus.AWAITING_APPROVAL)

    reply = await intake.hand_over(DECISION)

    assert reply.outcome == "taken"
    assert engine.raised == [("o1", "approval_decided", DECISION.data)]


@pytest.mark.parametrize("is_down", [True, False])
async def test_a_decision_is_retried_if_the_engine_cannot_accept_it(
    intake: Intake, engine: MemoryEngine, *, is_down: bool
) -> None:
    """The engine is down, or the workflow has not started."""
    engine.is_down = True
    await intake.submit_and_return(ORDER)
    await intake._background.stop()
    engine.is_down = is_down

    with pytest.raises(EngineUnavailable):
        await intake.hand_over(DECISION)


async def test_a_decision_for_an_ended_order_is_too_late(
    intake: Intake, engine: MemoryEngine, store: OrderStore
) -> None:
    """Approvals gets this answer."""
    await intake.submit(ORDER)
    await store.record("o1", "run", OrderStatus.CANCELLED)

    assert (await intake.hand_over(DECISION)).outcome == "too_late"
    assert engine.raised == []


async def test_a_decision_for_an_unknown_order_is_refused(intake: Intake) -> None:
    """No workflow could receive it."""
    with pytest.raises(UnknownOrder):
        await intake.hand_over(DECISION)


async def test_a_paid_order_is_woken_to_be_cancelled(
    intake: Intake, engine: MemoryEngine, store: OrderStore
) -> None:
    """It may be waiting for picking, whatever the current settings are."""
    await intake.submit(ORDER)
    await store.record("o1", "run", OrderStatus.PAID)

    await intake.cancel("o1")

    await until(lambda: engine.raised == [("o1", "cancel_requested", None)])


async def test_picking_is_part_of_the_input(
    settings: OrdersSettings,
    store: OrderStore,
    engine: MemoryEngine,
    feed: StatusFeed,
    new_runs: NewRuns,
) -> None:
    """A run uses the settings of its start; the default is no picking."""
    chosen = settings.model_copy(update={"picking": "awaited", "picking_timeout_seconds": 7.0})
    undo = OrderUndo(engine, store)
    intake = Intake(chosen, store, engine, feed, undo, BackgroundWork(), new_runs=new_runs)
    await intake.submit(ORDER)

    assert settings.picking == "off"
    assert (engine.runs["o1"][0].picking, engine.runs["o1"][0].picking_timeout_seconds) == (
        "awaited",
        7.0,
    )


async def test_another_replica_hands_over_a_pending_cancellation(
    intake: Intake, engine: MemoryEngine, store: OrderStore
) -> None:
    """The replica that accepted the cancellation may have died."""
    await intake.submit(ORDER)
    await store.record("o1", "run", OrderStatus.AWAITING_APPROVAL)
    await store.request_cancel("o1")

    await intake.resume_cancels()

    await until(lambda: any(event == "cancel_requested" for _, event, _ in engine.raised))
