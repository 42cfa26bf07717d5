"""Damaged histories are recognised, and no healthy one is called damaged."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest
from dapr.ext.workflow._durabletask.internal import protos
from hypothesis import assume, given
from hypothesis import strategies as st

from orderflow_workflow_runtime.damage import (
    ACTIVITY_PATIENCE,
    TIMER_PATIENCE,
    children_in_progress,
    find_damage,
    find_overdue,
)
from orderflow_workflow_runtime.histories import Recording

RECORDINGS: Final = sorted(Path("tests/histories").glob("*.json"))
STARTED_AT: Final = datetime(2026, 3, 1, 12, tzinfo=UTC)
NEVER: Final = datetime.max.replace(tzinfo=UTC)

Events = list[Any]


class Engine:
    """Writes a history as the engine does: a turn for each thing that happens."""

    def __init__(self, first: int = 0) -> None:
        self.events: Events = []
        self.at = STARTED_AT
        self.number = first
        self.open: dict[int, str] = {}
        self.turn()
        self.add(executionStarted=protos.ExecutionStartedEvent(name="any"))

    def add(self, event_id: int = -1, **event: Any) -> None:
        added = protos.HistoryEvent(eventId=event_id, **event)
        added.timestamp.FromDatetime(self.at)
        self.events.append(added)

    def turn(self) -> None:
        self.at += timedelta(milliseconds=7)
        self.add(workflowStarted=protos.WorkflowStartedEvent())

    def ask(self, kind: str, due: timedelta = timedelta()) -> None:
        """Add an action: an activity, a timer, a child or a wait for an event."""
        self.number += 1
        self.open[self.number] = kind
        if kind == "activity":
            self.add(self.number, taskScheduled=protos.TaskScheduledEvent(name="step"))
        elif kind == "child":
            child = protos.ChildWorkflowInstanceCreatedEvent(instanceId=f"child-{self.number}")
            self.add(self.number, childWorkflowInstanceCreated=child)
        else:
            timer = protos.TimerCreatedEvent()
            timer.fireAt.FromDatetime(NEVER if kind == "wait" else self.at + due)
            if kind == "wait":
                timer.externalEvent.name = f"event-{self.number}"
            self.add(self.number, timerCreated=timer)

    def answer(self, number: int, *, fails: bool = False) -> None:
        """Add the result of an action, in a turn of its own."""
        kind = self.open.pop(number)
        self.turn()
        if kind == "activity" and fails:
            self.add(taskFailed=protos.TaskFailedEvent(taskScheduledId=number))
        elif kind == "activity":
            self.add(taskCompleted=protos.TaskCompletedEvent(taskScheduledId=number))
        elif kind == "timer":
            self.add(timerFired=protos.TimerFiredEvent(timerId=number))
        elif kind == "child":
            done = protos.ChildWorkflowInstanceCompletedEvent(taskScheduledId=number)
            self.add(childWorkflowInstanceCompleted=done)
        else:
            self.add(eventRaised=protos.EventRaisedEvent(name=f"EVENT-{number}"))


@st.composite
def engines(draw: st.DrawFn) -> Engine:
    """Make an engine in the middle of any workflow."""
    engine = Engine(draw(st.sampled_from([0, 1_000, 2_000_000_000])))
    for _ in range(draw(st.integers(0, 12))):
        if bool(engine.open) and draw(st.booleans()):
            number = draw(st.sampled_from(sorted(engine.open)))
            engine.answer(number, fails=draw(st.booleans()))
        for _ in range(draw(st.integers(1, 3))):
            kind = draw(st.sampled_from(["activity", "timer", "child", "wait"]))
            engine.ask(kind, timedelta(seconds=draw(st.integers(0, 100_000))))
        engine.at += timedelta(milliseconds=draw(st.integers(0, 5_000)))
    return engine


def actions(events: Events) -> Events:
    """Return the events that start something, except the last."""
    kinds = ("taskScheduled", "timerCreated", "childWorkflowInstanceCreated")
    return [event for event in events if event.WhichOneof("eventType") in kinds]


def results(events: Events) -> Events:
    """Return the events that end something."""
    kinds = ("taskCompleted", "taskFailed", "timerFired", "childWorkflowInstanceCompleted")
    return [event for event in events if event.WhichOneof("eventType") in kinds]


@given(engines())
def test_no_healthy_history_is_called_damaged(engine: Engine) -> None:
    """Nor is any part of it that the engine has saved earlier."""
    turns = [i for i, e in enumerate(engine.events) if e.HasField("workflowStarted")]
    for end in (*turns[1:], None):
        assert find_damage(engine.events[:end]) is None


@pytest.mark.parametrize("path", RECORDINGS, ids=lambda path: path.stem)
def test_no_recorded_history_is_called_damaged(path: Path) -> None:
    """They were recorded from a real engine."""
    events = Recording.read(path.read_bytes(), path.name).history()

    assert find_damage(events) is None


def test_there_are_recorded_histories() -> None:
    """The test above must not be empty."""
    assert len(RECORDINGS) > 10


def doubled(events: Events, draw: Callable[[Any], Any]) -> Events:
    """Have an action twice."""
    return [*events, draw(st.sampled_from(actions(events)))]


def without_start(events: Events, draw: Callable[[Any], Any]) -> Events:
    """Lose the start of an action that has a result."""
    assume(results(events))
    ended = draw(st.sampled_from(results(events)))
    payload = getattr(ended, ended.WhichOneof("eventType"))
    number = payload.timerId if ended.HasField("timerFired") else payload.taskScheduledId
    return [event for event in events if event.eventId != number]


def with_gap(events: Events, draw: Callable[[Any], Any]) -> Events:
    """Lose an action between two others."""
    assume(len(actions(events)) > 2)
    lost = draw(st.sampled_from(actions(events)[1:-1]))
    return [event for event in events if event is not lost]


def without_beginning(events: Events, _: Callable[[Any], Any]) -> Events:
    """Lose the beginning."""
    return [event for event in events if not event.HasField("executionStarted")]


def begun_twice(events: Events, _: Callable[[Any], Any]) -> Events:
    """Begin twice."""
    return [*events, *events[:2]]


def answered_twice(events: Events, draw: Callable[[Any], Any]) -> Events:
    """Have a result twice."""
    assume(results(events))
    return [*events, draw(st.sampled_from(results(events)))]


@pytest.mark.parametrize(
    "damage",
    [doubled, without_start, with_gap, without_beginning, begun_twice, answered_twice],
)
@given(engine=engines(), data=st.data())
def test_every_kind_of_damage_is_recognised(
    damage: Callable[..., Events], engine: Engine, data: st.DataObject
) -> None:
    """Whatever the workflow had done by then."""
    assume(actions(engine.events))

    assert find_damage(damage(engine.events, data.draw)) is not None


@given(engines(), st.integers(0, 200_000))
def test_what_is_overdue_has_no_result_and_should_have_one(engine: Engine, later: int) -> None:
    """Waits for events and for children have no time by which they must end."""
    at = engine.at + timedelta(seconds=later)

    overdue = {each.event_id: each for each in find_overdue(engine.events, at)}

    for number, kind in engine.open.items():
        event = next(event for event in engine.events if event.eventId == number)
        if kind == "activity":
            is_due = at > event.timestamp.ToDatetime(UTC) + ACTIVITY_PATIENCE
        elif kind == "timer":
            is_due = at > event.timerCreated.fireAt.ToDatetime(UTC) + TIMER_PATIENCE
        else:
            is_due = False
        assert (number in overdue) is is_due
    assert overdue.keys() <= engine.open.keys()


def test_a_paused_instance_is_never_overdue() -> None:
    """Its timers fire late, and its results are kept, until it is resumed."""
    engine = Engine()
    engine.ask("timer")
    engine.turn()
    engine.add(executionSuspended=protos.ExecutionSuspendedEvent())
    much_later = engine.at + timedelta(days=9)

    assert find_overdue(engine.events, much_later) == []
    engine.turn()
    engine.add(executionResumed=protos.ExecutionResumedEvent())
    assert len(find_overdue(engine.events, much_later)) == 1


def test_the_timer_of_a_wait_ends_with_the_event() -> None:
    """The engine deletes such a timer, so it does not fire."""
    engine = Engine()
    engine.ask("timer")
    engine.events[-1].timerCreated.externalEvent.name = "Answer"
    engine.turn()
    much_later = engine.at + timedelta(days=9)
    assert len(find_overdue(engine.events, much_later)) == 1

    engine.add(eventRaised=protos.EventRaisedEvent(name="answer"))

    assert find_overdue(engine.events, much_later) == []


def test_an_ended_instance_has_nothing_overdue() -> None:
    """A workflow may end while a timer runs."""
    engine = Engine()
    engine.ask("timer")
    engine.add(2, executionCompleted=protos.ExecutionCompletedEvent())

    assert find_overdue(engine.events, engine.at + timedelta(days=9)) == []


def test_children_in_progress_have_not_reported() -> None:
    """A child that has just been started is left out."""
    engine = Engine()
    for _ in range(2):
        engine.ask("child")
    engine.answer(1)
    old = engine.at + timedelta(seconds=1)
    engine.at += timedelta(seconds=2)
    engine.ask("child")

    assert children_in_progress(engine.events, old) == ["child-2"]
