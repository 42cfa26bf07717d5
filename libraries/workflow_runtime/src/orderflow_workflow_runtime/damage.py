"""Recognises histories that are damaged, and instances that wait for something that is lost.

Pure functions over the engine's events of one instance that has not finished.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal

ACTIVITY_PATIENCE: Final = timedelta(seconds=30)
"""An attempt at an activity ends within this time: every call that it makes has a deadline."""
TIMER_PATIENCE: Final = timedelta(seconds=20)
"""A timer may fire this late, after a restart or under load."""

_ACTIONS: Final[Mapping[str, str]] = {
    "taskScheduled": "activity",
    "timerCreated": "timer",
    "childWorkflowInstanceCreated": "child workflow",
    "eventSent": "event",
}
_ANSWERS: Final[Mapping[str, tuple[str, str]]] = {
    "taskCompleted": ("activity", "taskScheduledId"),
    "taskFailed": ("activity", "taskScheduledId"),
    "timerFired": ("timer", "timerId"),
    "childWorkflowInstanceCompleted": ("child workflow", "taskScheduledId"),
    "childWorkflowInstanceFailed": ("child workflow", "taskScheduledId"),
}
_ENDS: Final = frozenset({"executionCompleted", "executionTerminated"})


@dataclass(frozen=True)
class Overdue:
    """An activity that should have ended, or a timer that should have fired."""

    kind: Literal["activity", "timer"]
    event_id: int
    name: str
    due: datetime

    def __str__(self) -> str:
        due = self.due.isoformat(timespec="seconds")
        if self.kind == "activity":
            return (
                f"activity {self.event_id}, {self.name}, was scheduled at {due} and has no result"
            )
        return f"timer {self.event_id} was due at {due} and has not fired"


def find_damage(events: Sequence[Any]) -> str | None:
    """Return what is wrong with a history, in words; None if nothing is.

    A healthy history begins once, numbers its actions without gaps, and has each of them once;
    each action is answered at most once, and after it.
    """
    if not events:
        return None
    if sum(event.HasField("executionStarted") for event in events) != 1:
        return "the history does not have exactly one beginning"
    actions: dict[int, str] = {}
    answered: set[int] = set()
    for event in events:
        field = event.WhichOneof("eventType")
        if field in _ACTIONS:
            if event.eventId in actions:
                return f"action {event.eventId} is in the history twice"
            actions[event.eventId] = _ACTIONS[field]
        elif field in _ANSWERS:
            kind, id_field = _ANSWERS[field]
            number = getattr(getattr(event, field), id_field)
            if actions.get(number) != kind:
                return f"the result of {kind} {number} is in the history, its start is not"
            if number in answered:
                return f"the result of {kind} {number} is in the history twice"
            answered.add(number)
    missing = set(range(min(actions), max(actions))) - actions.keys() if actions else set()
    return f"action {min(missing)} is missing from the history" if missing else None


def find_overdue(events: Sequence[Any], at: datetime) -> list[Overdue]:
    """Return the activities and timers that are overdue; none for a paused instance."""
    if _is_paused(events) or any(event.WhichOneof("eventType") in _ENDS for event in events):
        return []
    return [each for each in _outstanding(events) if each.due < at - _PATIENCE[each.kind]]


_PATIENCE: Final[Mapping[str, timedelta]] = {
    "activity": ACTIVITY_PATIENCE,
    "timer": TIMER_PATIENCE,
}


def children_in_progress(events: Sequence[Any], since: datetime) -> list[str]:
    """Return the child workflows that were started before a time and have not reported an end."""
    answered = _answered(events)
    return [
        event.childWorkflowInstanceCreated.instanceId
        for event in events
        if event.HasField("childWorkflowInstanceCreated")
        and event.eventId not in answered
        and event.timestamp.ToDatetime(UTC) < since
    ]


def _answered(events: Sequence[Any]) -> set[int]:
    return {
        getattr(getattr(event, field), _ANSWERS[field][1])
        for event in events
        if (field := event.WhichOneof("eventType")) in _ANSWERS
    }


def _outstanding(events: Sequence[Any]) -> Iterator[Overdue]:
    """Yield the activities and timers without an answer, and when each is due.

    The engine deletes the timer of a wait for an event once that event has come.
    """
    raised = {e.eventRaised.name.casefold() for e in events if e.HasField("eventRaised")}
    answered = _answered(events)
    for event in events:
        if event.eventId in answered:
            continue
        if event.HasField("taskScheduled"):
            scheduled = event.timestamp.ToDatetime(UTC)
            yield Overdue("activity", event.eventId, event.taskScheduled.name, scheduled)
        elif event.HasField("timerCreated"):
            timer = event.timerCreated
            if timer.externalEvent.name.casefold() not in raised:
                yield Overdue("timer", event.eventId, timer.name, timer.fireAt.ToDatetime(UTC))


def _is_paused(events: Sequence[Any]) -> bool:
    kinds = [event.WhichOneof("eventType") for event in events]
    pauses = [kind for kind in kinds if kind in {"executionSuspended", "executionResumed"}]
    return pauses[-1:] == ["executionSuspended"]
