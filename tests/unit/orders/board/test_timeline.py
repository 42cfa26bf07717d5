"""An order's timeline, from histories that the real engine recorded and from made ones."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from orderflow_contracts.fields import now
from orderflow_contracts.orders import HistoryEntry, Order, OrderLine, OrderStatus
from orderflow_workflow_runtime.histories import Recording
from orderflow_workflow_runtime.instances import HistoryEvent
from orderflow_workflow_runtime.reading import read_history
from orders.board.entries import Entry, Kind, State
from orders.board.timeline import timeline

RECORDED = Path(__file__).parents[3] / "histories"
START = datetime(2026, 11, 1, tzinfo=UTC)
PAYMENT = "process_payment_activity"


def recorded(name: str) -> list[HistoryEvent]:
    file = RECORDED / f"{name}.json"
    return read_history(Recording.read(file.read_bytes(), file.name).history())


def order(*statuses: str, at: datetime = START, reason: str | None = None) -> Order:
    """Make an order that had these statuses, a second apart; the reason is the last one's."""
    history = tuple(
        HistoryEntry(
            sequence=place,
            status=OrderStatus(status),
            reason=reason if place == len(statuses) else None,
            at=at + timedelta(seconds=place - 1),
        )
        for place, status in enumerate(statuses, 1)
    )
    return Order(
        order_id="o1",
        customer_id="alice",
        lines=(OrderLine(item="cars", quantity=1),),
        status=history[-1].status,
        sequence=len(history),
        created_at=at,
        updated_at=now(),
        history=history,
    )


def told_of(name: str, *statuses: str, reason: str | None = None) -> tuple[Entry, ...]:
    """Tell a recorded story of an order that was received just before."""
    events = recorded(f"order_processing_workflow.{name}")
    begun = events[0].at - timedelta(seconds=10)
    return timeline(order("received", *statuses, at=begun, reason=reason), events)


def event(seconds: float, kind: str, name: str | None = None, **more: Any) -> HistoryEvent:
    at = START + timedelta(seconds=seconds)
    return HistoryEvent(event_id=None, at=at, type=kind, name=name, **more)


def titles(entries: tuple[Entry, ...]) -> list[str]:
    return [entry.title for entry in entries]


def by_name(entries: tuple[Entry, ...], name: str) -> Entry:
    (entry,) = [entry for entry in entries if entry.name == name]
    return entry


def test_statuses_alone_tell_the_story() -> None:
    """If the engine no longer has the workflow, the recorded statuses make up the timeline."""
    entries = timeline(order("received", "reserved", "rejected", reason="denied"))

    assert titles(entries) == [
        "Order received",
        "Order reserved",
        "Order rejected",
    ]
    assert {entry.kind for entry in entries} == {Kind.STATUS}
    assert entries[-1].reason == "denied"


def test_a_completed_order_tells_each_step_and_how_long_it_took() -> None:
    """Each status is shown with the step that recorded it, and only once."""
    entries = told_of("completed", "reserved", "paid", "completed")

    assert titles(entries) == [
        "Order received",
        "Status published: received",
        "Stock reserved",
        "Payment captured",
        "Stock shipped",
        "Status published: completed",
    ]
    assert [entry.status for entry in entries if entry.status] == [
        "received",
        "reserved",
        "paid",
        "completed",
    ]
    assert all(entry.seconds is not None and entry.seconds > 0 for entry in entries[1:])
    assert all(entry.state is State.DONE for entry in entries)


def test_tries_that_failed_belong_to_one_step() -> None:
    """A step that was tried three times is one entry, with the two errors."""
    entry = by_name(told_of("retried", "reserved", "paid", "completed"), PAYMENT)

    assert (entry.state, len(entry.attempts)) == (State.DONE, 3)
    assert [failure.error for failure in entry.failures] == [
        "PaymentUnavailable: the provider does not answer for test-unavailable-2"
    ] * 2
    assert entry.seconds is not None
    assert entry.seconds > 1.5  # from the first try's beginning to the last one's end


def test_a_decision_is_told_with_who_made_it() -> None:
    """What was waited for, how long, and what came."""
    (wait,) = [e for e in told_of("approved", "completed") if e.kind is Kind.WAIT]

    assert (wait.title, wait.note) == ("Waited for approval", "Approved by mallory.")
    assert wait.seconds is not None
    assert wait.seconds > 0.1


def test_the_ends_of_a_wait_are_told_apart() -> None:
    """Denied, expired, cancelled, stopped: each is said."""
    notes = {
        name: [e.note for e in told_of(name, "rejected") if e.kind is Kind.WAIT]
        for name in ("denied", "expired", "reminded", "cancelled", "terminated")
    }

    assert notes == {
        "denied": ["Denied by mallory."],
        "expired": ["No decision was made in time."],
        "reminded": ["No decision was made in time."],
        "cancelled": ["Cancellation was requested."],
        "terminated": ["The workflow was terminated during the wait."],
    }


def test_an_order_that_waits_says_so() -> None:
    """A wait that lasts has no duration yet."""
    (wait,) = [e for e in told_of("waiting", "awaiting_approval") if e.kind is Kind.WAIT]

    assert (wait.title, wait.state, wait.seconds) == (
        "Waiting for approval",
        State.RUNNING,
        None,
    )


def test_what_was_undone_is_marked() -> None:
    """A step that was taken back shows it, and what took it back is told as that."""
    entries = told_of("cancelled", "reserved", "awaiting_approval", "cancelled")

    undone = [entry.name for entry in entries if entry.is_undone]
    assert undone == ["verify_inventory_activity", "request_approval_activity"]
    undoing = [entry.name for entry in entries if entry.kind is Kind.UNDO]
    assert undoing == ["withdraw_approval_activity", "release_inventory_activity"]


def test_a_step_that_did_nothing_is_not_undone() -> None:
    """Money that was declined was not given back, and goods that were not there were not kept."""
    declined = by_name(told_of("declined", "rejected"), PAYMENT)
    missing = by_name(told_of("out_of_stock", "rejected"), "verify_inventory_activity")

    assert (declined.is_undone, declined.is_refused) == (False, True)
    assert (declined.title, declined.note) == ("Payment declined", "")
    assert (missing.is_undone, missing.is_refused) == (False, True)
    assert (missing.title, missing.note) == ("Stock not reserved", "Out of stock.")


def test_what_an_operator_did_is_told() -> None:
    """Pausing, resuming and stopping are parts of the story."""
    resumed = [e.title for e in told_of("resumed", "completed") if e.kind is Kind.MARK]
    stopped = [e.title for e in told_of("terminated", "cancelled") if e.kind is Kind.MARK]

    assert resumed == ["Paused by an operator", "Resumed by an operator"]
    assert stopped == ["Terminated by an operator"]


def test_the_workflow_that_undoes_belongs_to_the_history() -> None:
    """What it undid is marked in the first history; what was never done says so."""
    stopped = recorded("order_processing_workflow.terminated")
    undo = recorded("order_undo_workflow.undone")

    entries = timeline(order("received", "cancelled", at=stopped[0].at), stopped, undo)

    assert by_name(entries, "verify_inventory_activity").is_undone
    assert by_name(entries, "release_inventory_activity").note == ""
    assert by_name(entries, "refund_payment_activity").note == "There was nothing to undo."


def test_a_step_in_hand_is_under_way_until_the_order_ends() -> None:
    """What has begun lasts; when the order has ended otherwise, it was stopped."""
    events = [event(1, "task_scheduled", PAYMENT)]

    running = by_name(timeline(order("received"), events), PAYMENT)
    stopped = by_name(timeline(order("received", "cancelled"), events), PAYMENT)

    assert (running.state, running.seconds) == (State.RUNNING, None)
    assert stopped.state is State.STOPPED


def test_a_step_that_failed_is_tried_again_or_has_failed() -> None:
    """While nothing follows it will be tried again; then its last error is its end."""
    failing = [
        event(1, "task_scheduled", PAYMENT, input={"a": 1}),
        event(2, "task_failed", PAYMENT, error="Timeout: late"),
    ]
    undoing = [*failing, event(3, "task_scheduled", "release_inventory_activity")]

    again = by_name(timeline(order("received"), failing), PAYMENT)
    failed = by_name(timeline(order("received"), undoing), PAYMENT)

    assert (again.state, again.seconds) == (State.RETRYING, None)
    assert (failed.state, failed.seconds) == (State.FAILED, 1.0)


def test_the_same_step_with_another_input_is_another_step() -> None:
    """Telling everyone of two statuses is two steps, also when the first failed."""
    events = [
        event(1, "task_scheduled", "notify_activity", input={"status": "approved"}),
        event(2, "task_failed", "notify_activity", error="x"),
        event(3, "task_scheduled", "notify_activity", input={"status": "failed"}),
        event(4, "task_completed", "notify_activity"),
    ]

    entries = timeline(order("received"), events)

    assert titles(entries)[1:] == ["Publish status: approved", "Status published: failed"]


def test_a_workflow_that_failed_says_why() -> None:
    """The engine's words are a part of the story."""
    events = [event(1, "workflow_completed", error="ValueError: <b>no</b>")]

    (_, mark) = timeline(order("received"), events)

    assert (mark.title, mark.state, mark.note) == (
        "The workflow failed",
        State.FAILED,
        "ValueError: <b>no</b>",
    )


def test_what_is_not_known_is_told_by_its_name() -> None:
    """A later version's steps, and events that make no sense, break no story."""
    events = [
        event(1, "task_completed", "lost"),
        event(2, "task_scheduled", "gift_wrap_activity", input="x"),
        event(3, "task_completed", "gift_wrap_activity", output=[1]),
        event(4, "task_scheduled", "notify_activity", input={"status": ["odd"]}),
        event(5, "event_raised", "approval_decided", input="yes"),
        event(6, "something_new"),
    ]

    assert titles(timeline(order("received"), events))[1:] == [
        "gift_wrap_activity",
        "Publish status",
    ]
