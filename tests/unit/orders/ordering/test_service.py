"""Taking orders in: each gets one run, whatever the engine and the process go through."""

import asyncio
from collections.abc import Callable
from datetime import timedelta

import pytest

from fakes.orders_ports import MemoryEngine, MemoryPublisher
from fakes.pauses import short_pause
from fakes.waiting import until
from orderflow_contracts.approvals import Decision, RaiseRequest
from orderflow_contracts.fields import Clock, now
from orderflow_contracts.orders import OrderLine, OrderStatus, OrderSubmitted
from orderflow_hosting.background import BackgroundWork
from orderflow_workflow_runtime.ports import EngineUnavailable
from orders.config import OrdersSettings
from orders.domain import OrderEnded, UnknownOrder
from orders.ordering.feed import StatusFeed
from orders.ordering.records import OtherContent
from orders.ordering.service import LEFT_ALONE, Intake
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
    publisher: MemoryPublisher,
    feed: StatusFeed,
) -> Callable[..., Intake]:
    undo = OrderUndo(engine, store)

    def start(clock: Clock = now) -> Intake:
        background = BackgroundWork(short_pause)
        return Intake(settings, store, engine, publisher, feed, undo, background, clock)

    return start


async def test_an_order_gets_one_run_with_its_configuration(
    intake: Intake, engine: MemoryEngine, store: OrderStore
) -> None:
    """The run knows the order, when it was received, and the settings to go by."""
    await intake.submit(ORDER)

    (run,) = engine.runs["o1"]
    kept = await store.order("o1")
    assert kept is not None
    assert (run.order_id, run.customer_id, run.lines) == ("o1", "alice", ORDER.lines)
    assert run.received_at == kept.created_at
    assert run.approval_threshold_cents == 50_000_00
    assert run.approval_timeout_seconds == 24 * 3600
    assert len(run.run_id) == 32


async def test_duplicates_while_it_runs_start_nothing(intake: Intake, engine: MemoryEngine) -> None:
    """A hundred copies of an order make one run."""
    await asyncio.gather(*(intake.submit(ORDER) for _ in range(100)))

    assert len(engine.runs["o1"]) == 1


@pytest.mark.parametrize("status", [status for status in OrderStatus if status != "received"])
async def test_duplicates_of_an_order_under_way_start_nothing(
    intake: Intake, engine: MemoryEngine, store: OrderStore, status: OrderStatus
) -> None:
    """Also when the engine has forgotten the instance, as after a purge."""
    await intake.submit(ORDER)
    await store.record("o1", "run", status)
    engine.active.clear()

    await intake.submit(ORDER)
    await intake.submit_and_return(ORDER)

    assert len(engine.runs["o1"]) == 1


async def test_other_content_is_refused_and_starts_nothing(
    intake: Intake, engine: MemoryEngine
) -> None:
    """The same id with other content has no effect at all."""
    await intake.submit(ORDER)

    for submit in (intake.submit, intake.submit_and_return):
        with pytest.raises(OtherContent):
            await submit(OTHER)
    assert len(engine.runs["o1"]) == 1


async def test_an_event_is_not_acknowledged_while_the_engine_is_down(
    intake: Intake, engine: MemoryEngine, store: OrderStore
) -> None:
    """The order is kept, its event comes again, and then it starts."""
    engine.is_down = True
    with pytest.raises(EngineUnavailable):
        await intake.submit(ORDER)
    assert await store.order("o1") is not None

    engine.is_down = False
    await intake.submit(ORDER)

    assert len(engine.runs["o1"]) == 1


async def test_a_start_whose_answer_was_lost_is_not_repeated(
    intake: Intake, engine: MemoryEngine
) -> None:
    """The engine says that the instance is active, which is as good as an answer."""
    engine.loses_next_answer = True
    with pytest.raises(EngineUnavailable):
        await intake.submit(ORDER)

    await intake.submit(ORDER)

    assert len(engine.runs["o1"]) == 1


async def test_a_person_does_not_wait_for_the_engine(intake: Intake, engine: MemoryEngine) -> None:
    """An order placed over HTTP is taken, and starts when the engine is back."""
    engine.is_down = True
    await intake.submit_and_return(ORDER)
    assert not engine.runs["o1"]

    engine.is_down = False

    await until(lambda: len(engine.runs["o1"]) == 1)


async def test_the_next_process_starts_what_was_left(
    intake: Intake, engine: MemoryEngine, next_process: Callable[..., Intake]
) -> None:
    """An order kept by a process that died before the start is started by the next."""
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


async def test_resuming_waits_for_the_engine(
    intake: Intake, engine: MemoryEngine, next_process: Callable[..., Intake]
) -> None:
    """A process that starts before its sidecar goes on trying."""
    engine.is_down = True
    await intake.submit_and_return(ORDER)
    await intake._background.stop()
    second = next_process()
    await second.resume()

    engine.is_down = False

    await until(lambda: len(engine.runs["o1"]) == 1)
    await second._background.stop()


async def test_resuming_leaves_alone_what_is_under_way(
    intake: Intake, engine: MemoryEngine, store: OrderStore, next_process: Callable[..., Intake]
) -> None:
    """An order that a run has taken up is not started again."""
    await intake.submit(ORDER)
    await store.record("o1", "run", OrderStatus.RESERVED)
    engine.active.clear()

    second = next_process()
    await second.resume()
    await until(lambda: not second._background)

    assert len(engine.runs["o1"]) == 1


async def test_resuming_starts_a_run_again_that_the_engine_lost(
    intake: Intake, engine: MemoryEngine, store: OrderStore, next_process: Callable[..., Intake]
) -> None:
    """An engine that lost its last writes with the machine gets the same run again."""
    await intake.submit(ORDER)
    (lost,) = engine.runs.pop("o1")
    await store.record("o1", lost.run_id, OrderStatus.RESERVED)
    engine.active.clear()

    second = next_process()
    await second.resume()
    await until(lambda: not second._background)

    (again,) = engine.runs["o1"]
    compensations = tuple(action.activity for action in COMPENSATIONS)
    assert again == lost.model_copy(update={"begun_again": True, "compensations": compensations})


async def test_an_invalid_order_is_told_as_rejected(
    intake: Intake, publisher: MemoryPublisher
) -> None:
    """Whoever follows the statuses learns of it, each time under the same event id."""
    await intake.reject_invalid("o1")
    await intake.reject_invalid("o1")

    assert [(change.event_id, change.reason) for change in publisher.statuses] == [
        ("o1.1", "invalid"),
        ("o1.1", "invalid"),
    ]


async def test_an_invalid_order_under_a_real_id_is_not_told(
    intake: Intake, publisher: MemoryPublisher
) -> None:
    """A real order is not reported as rejected because of garbage under its id."""
    await intake.submit(ORDER)

    await intake.reject_invalid("o1")

    assert publisher.statuses == []


async def test_cancelling_wakes_an_order_that_waits_for_approval(
    intake: Intake, engine: MemoryEngine, store: OrderStore
) -> None:
    """The wait ends by an event, also when the engine is down for a while."""
    await intake.submit(ORDER)
    await store.record("o1", "run", OrderStatus.AWAITING_APPROVAL)
    engine.is_down = True
    await intake.cancel("o1")
    engine.is_down = False

    await until(lambda: engine.raised == [("o1", "cancel_requested", None)])


async def test_cancelling_an_order_that_does_not_wait_raises_nothing(
    intake: Intake, engine: MemoryEngine, store: OrderStore
) -> None:
    """The workflow finds the request with its next status."""
    await intake.submit(ORDER)

    await intake.cancel("o1")

    assert not intake._background
    record = await store.record("o1", "run", OrderStatus.RESERVED)
    assert record is not None
    assert record.cancelled
    assert engine.raised == []


async def test_the_next_process_hands_over_a_cancellation(
    intake: Intake, engine: MemoryEngine, store: OrderStore, next_process: Callable[..., Intake]
) -> None:
    """A request to cancel is not lost with the process that took it."""
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


async def test_a_cancellation_is_given_up_when_the_order_goes_on_without_it(
    intake: Intake, engine: MemoryEngine, store: OrderStore
) -> None:
    """Nobody is woken for ever who does not wait any more."""
    await intake.submit(ORDER)
    await store.record("o1", "run", OrderStatus.AWAITING_APPROVAL)
    engine.is_down = True
    await intake.cancel("o1")

    await store.record("o1", "run", OrderStatus.REJECTED)

    await until(lambda: not intake._background)
    assert engine.raised == []


async def test_what_cannot_be_cancelled_is_told(intake: Intake, store: OrderStore) -> None:
    """An unknown order, and one that has ended."""
    with pytest.raises(UnknownOrder):
        await intake.cancel("o1")
    await intake.submit(ORDER)
    await store.record("o1", "run", OrderStatus.COMPLETED)

    with pytest.raises(OrderEnded, match="completed"):
        await intake.cancel("o1")


async def test_a_decision_is_handed_to_the_workflow(
    intake: Intake, engine: MemoryEngine, store: OrderStore
) -> None:
    """The workflow gets approval, approver and comment."""
    await intake.submit(ORDER)
    await store.record("o1", "run", OrderStatus.AWAITING_APPROVAL)

    reply = await intake.hand_over(DECISION)

    assert reply.outcome == "taken"
    assert engine.raised == [("o1", "approval_decided", DECISION.data)]


@pytest.mark.parametrize("is_down", [True, False])
async def test_a_decision_that_the_engine_cannot_take_is_to_be_handed_over_again(
    intake: Intake, engine: MemoryEngine, *, is_down: bool
) -> None:
    """Whether the engine is down or the workflow has not started: try again."""
    engine.is_down = True
    await intake.submit_and_return(ORDER)
    await intake._background.stop()
    engine.is_down = is_down

    with pytest.raises(EngineUnavailable):
        await intake.hand_over(DECISION)


async def test_a_decision_for_an_ended_order_is_too_late(
    intake: Intake, engine: MemoryEngine, store: OrderStore
) -> None:
    """Approvals learns that nobody waits for it any more."""
    await intake.submit(ORDER)
    await store.record("o1", "run", OrderStatus.CANCELLED)

    assert (await intake.hand_over(DECISION)).outcome == "too_late"
    assert engine.raised == []


async def test_a_decision_for_an_unknown_order_is_told(intake: Intake) -> None:
    """There is nobody to hand it to."""
    with pytest.raises(UnknownOrder):
        await intake.hand_over(DECISION)


async def test_a_paid_order_is_woken_to_be_cancelled(
    intake: Intake, engine: MemoryEngine, store: OrderStore
) -> None:
    """It may wait for the warehouse, whatever the settings are today."""
    await intake.submit(ORDER)
    await store.record("o1", "run", OrderStatus.PAID)

    await intake.cancel("o1")

    await until(lambda: engine.raised == [("o1", "cancel_requested", None)])


async def test_picking_enters_as_input(
    settings: OrdersSettings,
    store: OrderStore,
    engine: MemoryEngine,
    publisher: MemoryPublisher,
    feed: StatusFeed,
) -> None:
    """A run goes by the settings of its start; by default it knows no picking."""
    chosen = settings.model_copy(update={"picking": "awaited", "picking_timeout_seconds": 7.0})
    undo = OrderUndo(engine, store)
    await Intake(chosen, store, engine, publisher, feed, undo, BackgroundWork()).submit(ORDER)

    assert settings.picking == "off"
    assert (engine.runs["o1"][0].picking, engine.runs["o1"][0].picking_timeout_seconds) == (
        "awaited",
        7.0,
    )


async def test_what_another_replica_left_is_taken_up(
    intake: Intake,
    engine: MemoryEngine,
    next_process: Callable[..., Intake],
) -> None:
    """A replica that began before another went starts what that one left, after a while."""
    clock = [now()]
    other = next_process(lambda: clock[0])
    await other.resume()
    engine.is_down = True
    await intake.submit_and_return(ORDER)
    await intake._background.stop()
    engine.is_down = False

    await other.resume_left()
    assert not other._background  # it may be in good hands yet

    clock[0] += LEFT_ALONE + timedelta(seconds=1)
    await other.resume_left()
    await other.resume_left()

    await until(lambda: len(engine.runs["o1"]) == 1)
    await other._background.stop()


async def test_looking_for_what_was_left_touches_nothing_that_waits(
    intake: Intake, store: OrderStore, next_process: Callable[..., Intake]
) -> None:
    """Orders that wait for a person, however many, cost the engine no question."""
    later = next_process(lambda: now() + 2 * LEFT_ALONE)
    await intake.submit(ORDER)
    await store.record("o1", "run", OrderStatus.AWAITING_APPROVAL)

    await later.resume_left()

    assert not later._background


async def test_a_cancellation_that_was_not_handed_over_is_so_by_another_replica(
    intake: Intake, engine: MemoryEngine, store: OrderStore
) -> None:
    """Whoever asked for the cancellation need not have lived to wake the order."""
    await intake.submit(ORDER)
    await store.record("o1", "run", OrderStatus.AWAITING_APPROVAL)
    await store.request_cancel("o1")

    await intake.resume_left()

    await until(lambda: any(event == "cancel_requested" for _, event, _ in engine.raised))
