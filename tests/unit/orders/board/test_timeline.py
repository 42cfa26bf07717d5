"""An order's timeline, from recorded histories of the real engine and from made-up ones."""

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
    """Make an order with these statuses, a second apart; the reason is that of the last."""
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


def timeline_of(name: str, *statuses: str, reason: str | None = None) -> tuple[Entry, ...]:
    """Return the timeline of a recorded history, for an order received just before."""
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


def test_statuses_alone_make_a_timeline() -> None:
    """If the engine no longer has the workflow, the recorded statuses are shown."""
    entries = timeline(order("received", "reserved", "rejected", reason="denied"))

    assert titles(entries) == [
        "Order received",
        "Order reserved",
        "Order rejected",
    ]
    assert {entry.kind for entry in entries} == {Kind.STATUS}
    assert entries[-1].reason == "denied"


def test_a_completed_order_shows_each_step_with_its_duration() -> None:
    """Each status is shown once, with the step that recorded it."""
    entries = timeline_of("completed", "reserved", "paid", "completed")

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


def test_failed_attempts_belong_to_one_step() -> None:
    """A step with three attempts is one entry with two errors."""
    entry = by_name(timeline_of("retried", "reserved", "paid", "completed"), PAYMENT)

    assert (entry.state, len(entry.attempts)) == (State.DONE, 3)
    assert [failure.error for failure in entry.failures] == [
        "PaymentUnavailable: the provider does not answer for test-unavailable-2"
    ] * 2
    assert entry.seconds is not None
    assert entry.seconds > 1.5  # from the start of the first attempt to the end of the last


def test_a_decision_is_shown_with_its_approver() -> None:
    """The entry shows the wait, its duration, and the decision."""
    (wait,) = [e for e in timeline_of("approved", "completed") if e.kind is Kind.WAIT]

    assert (wait.title, wait.note) == ("Waited for approval", "Approved by mallory.")
    assert wait.seconds is not None
    assert wait.seconds > 0.1


def test_the_outcomes_of_a_wait_have_different_texts() -> None:
    """They are denied, expired, cancelled and terminated."""
    notes = {
        name: [e.note for e in timeline_of(name, "rejected") if e.kind is Kind.WAIT]
        for name in ("denied", "expired", "reminded", "cancelled", "terminated")
    }

    assert notes == {
        "denied": ["Denied by mallory."],
        "expired": ["No decision was made in time."],
        "reminded": ["No decision was made in time."],
        "cancelled": ["Cancellation was requested."],
        "terminated": ["The workflow was terminated during the wait."],
    }


def test_a_current_wait_is_shown() -> None:
    """It has no duration yet."""
    (wait,) = [e for e in timeline_of("waiting", "awaiting_approval") if e.kind is Kind.WAIT]

    assert (wait.title, wait.state, wait.seconds) == (
        "Waiting for approval",
        State.RUNNING,
        None,
    )


def test_undone_steps_are_marked() -> None:
    """The compensation is shown as such."""
    entries = timeline_of("cancelled", "reserved", "awaiting_approval", "cancelled")

    undone = [entry.name for entry in entries if entry.is_undone]
    assert undone == ["verify_inventory_activity", "request_approval_activity"]
    undoing = [entry.name for entry in entries if entry.kind is Kind.UNDO]
    assert undoing == ["withdraw_approval_activity", "release_inventory_activity"]


def test_a_step_without_effect_is_not_marked_as_undone() -> None:
    """A declined payment was not refunded, and stock that was short was not reserved."""
    declined = by_name(timeline_of("declined", "rejected"), PAYMENT)
    missing = by_name(timeline_of("out_of_stock", "rejected"), "verify_inventory_activity")

    assert (declined.is_undone, declined.is_refused) == (False, True)
    assert (declined.title, declined.note) == ("Payment declined", "")
    assert (missing.is_undone, missing.is_refused) == (False, True)
    assert (missing.title, missing.note) == ("Stock not reserved", "Out of stock.")


def test_actions_of_operators_are_shown() -> None:
    """They are pausing, resuming and terminating."""
    resumed = [e.title for e in timeline_of("resumed", "completed") if e.kind is Kind.MARK]
    stopped = [e.title for e in timeline_of("terminated", "cancelled") if e.kind is Kind.MARK]

    assert resumed == ["Paused by an operator", "Resumed by an operator"]
    assert stopped == ["Terminated by an operator"]


def test_the_rollback_workflow_is_part_of_the_timeline() -> None:
    """Undone steps are marked in the first history; steps that were never taken are not."""
    stopped = recorded("order_processing_workflow.terminated")
    undo = recorded("order_undo_workflow.undone")

    entries = timeline(order("received", "cancelled", at=stopped[0].at), stopped, undo)

    assert by_name(entries, "verify_inventory_activity").is_undone
    assert by_name(entries, "release_inventory_activity").note == ""
    assert by_name(entries, "refund_payment_activity").note == "There was nothing to undo."


def test_a_running_step_is_in_progress_until_the_order_ends() -> None:
    """If the order ends otherwise, the step was stopped."""
    events = [event(1, "task_scheduled", PAYMENT)]

    running = by_name(timeline(order("received"), events), PAYMENT)
    stopped = by_name(timeline(order("received", "cancelled"), events), PAYMENT)

    assert (running.state, running.seconds) == (State.RUNNING, None)
    assert stopped.state is State.STOPPED


def test_a_failed_step_is_retried_or_has_failed() -> None:
    """It is being retried until something follows; then its last error is its result."""
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
    """Publishing two statuses is two steps, also if the first failed."""
    events = [
        event(1, "task_scheduled", "notify_activity", input={"status": "approved"}),
        event(2, "task_failed", "notify_activity", error="x"),
        event(3, "task_scheduled", "notify_activity", input={"status": "failed"}),
        event(4, "task_completed", "notify_activity"),
    ]

    entries = timeline(order("received"), events)

    assert titles(entries)[1:] == ["Publish status: approved", "Status published: failed"]


def test_a_failed_workflow_shows_the_reason() -> None:
    """The engine's message is part of the timeline."""
    events = [event(1, "workflow_completed", error="ValueError: <b>no</b>")]

    (_, mark) = timeline(order("received"), events)

    assert (mark.title, mark.state, mark.note) == (
        "The workflow failed",
        State.FAILED,
        "ValueError: <b>no</b>",
    )


def test_unknown_events_are_shown_by_their_names() -> None:
    """Steps of a later version and meaningless events do not break the timeline."""
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


def test_an_order_that_was_invalid_first_shows_both_rejections() -> None:
    """Each with its own time, reason and detail."""
    both = order("rejected", "received", "rejected", reason="out_of_stock")
    invalid = both.history[0].model_copy(update={"reason": "invalid", "detail": "quantity is 0."})
    last = both.history[2].model_copy(update={"detail": "None is available."})
    history = (invalid, both.history[1], last)
    events = [
        event(2, "workflow_started"),
        event(3, "task_scheduled", "notify_activity", input={"status": "rejected"}),
        event(4, "task_completed", "notify_activity"),
    ]

    for entries in (
        timeline(both.model_copy(update={"history": history})),
        timeline(both.model_copy(update={"history": history}), events),
    ):
        assert titles(entries)[:2] == ["Invalid submission rejected", "Order received"]
        rejections = [entry for entry in entries if entry.status is OrderStatus.REJECTED]
        assert [(entry.reason, entry.detail) for entry in rejections] == [
            ("invalid", "quantity is 0."),
            ("out_of_stock", "None is available."),
        ]
