"""Instances that cannot go on are found, and no others."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from dapr.ext.workflow._durabletask.internal import protos

from orderflow_workflow_runtime.damage import ACTIVITY_PATIENCE, TIMER_PATIENCE
from orderflow_workflow_runtime.examining import (
    PROGRESS_CHECK,
    SEEN_AGAIN,
    STUCK,
    Examiner,
    Finding,
    Kind,
)
from orderflow_workflow_runtime.histories import Recording
from orderflow_workflow_runtime.ports import InstanceDamaged, NoSuchInstance
from orderflow_workflow_runtime.upstream.late_results import APART

SECOND = timedelta(seconds=1)


class OneInstance:
    """Implements `ReplacingEngine` for one instance, whose events a test writes."""

    def __init__(self) -> None:
        self.now = datetime(2026, 3, 1, 12, tzinfo=UTC)
        self.events: list[Any] = []
        self.error: Exception | None = None
        self.raised: list[str] = []
        self.handles_events = True
        self.running: set[int] = set()
        self.add(workflowStarted=protos.WorkflowStartedEvent())
        self.add(executionStarted=protos.ExecutionStartedEvent(name="any"))

    def add(self, event_id: int = -1, **event: Any) -> None:
        added = protos.HistoryEvent(eventId=event_id, **event)
        added.timestamp.FromDatetime(self.now)
        self.events.append(added)

    def schedule(self, number: int = 1, name: str = "step") -> None:
        self.add(number, taskScheduled=protos.TaskScheduledEvent(name=name))

    def set_timer(self, after: timedelta, number: int = 1) -> None:
        timer = protos.TimerCreatedEvent()
        timer.fireAt.FromDatetime(self.now + after)
        self.add(number, timerCreated=timer)

    def fail(self, error_type: str) -> None:
        details = protos.TaskFailureDetails(errorType=error_type, errorMessage="it failed")
        self.add(9, executionCompleted=protos.ExecutionCompletedEvent(failureDetails=details))

    async def start(self, workflow: str, instance_id: str, payload: Any) -> None: ...

    async def instance(self, instance_id: str, *, payloads: bool = True) -> None: ...

    async def discard(self, instance_id: str, *, with_children: bool) -> None: ...

    async def raise_event(self, instance_id: str, event: str, payload: Any) -> None:
        assert (instance_id, payload) == ("one", None)
        self.raised.append(event)
        if self.handles_events:
            self.add(workflowStarted=protos.WorkflowStartedEvent())
            self.add(eventRaised=protos.EventRaisedEvent(name=event))

    async def recording(self, instance_id: str) -> Recording:
        if self.error is not None:
            raise self.error
        return Recording.of(instance_id, self.events, {}, self.now)


@pytest.fixture
def engine() -> OneInstance:
    return OneInstance()


@pytest.fixture
def examiner(engine: OneInstance) -> Examiner:
    return Examiner(engine, lambda _, number: number in engine.running, lambda: engine.now)


async def examine(
    engine: OneInstance, examiner: Examiner, *, after: timedelta = timedelta()
) -> Finding | None:
    engine.now += after
    return await examiner.examine("one")


async def test_an_activity_whose_result_is_lost_is_found(
    engine: OneInstance, examiner: Examiner
) -> None:
    """The engine has handled a later event, and the result is still missing."""
    engine.schedule()
    assert await examine(engine, examiner, after=ACTIVITY_PATIENCE) is None
    assert engine.raised == []

    assert await examine(engine, examiner, after=SECOND) is None
    assert engine.raised == [PROGRESS_CHECK]
    found = await examine(engine, examiner, after=SEEN_AGAIN)

    assert found is not None
    assert found.kind is Kind.LOST_TIMER
    assert "activity 1, step" in found.detail
    assert engine.raised == [PROGRESS_CHECK]


async def test_a_timer_that_has_not_fired_is_found(engine: OneInstance, examiner: Examiner) -> None:
    """It is overdue by the engine's clock."""
    engine.set_timer(timedelta(hours=1))
    assert await examine(engine, examiner, after=timedelta(hours=1) + TIMER_PATIENCE) is None
    assert await examine(engine, examiner, after=SECOND) is None

    found = await examine(engine, examiner, after=SEEN_AGAIN)

    assert found is not None
    assert "timer 1" in found.detail


async def test_a_result_that_only_lacked_its_reminder_is_no_finding(
    engine: OneInstance, examiner: Examiner
) -> None:
    """The event wakes the workflow, which then takes the result too."""
    engine.schedule()
    assert await examine(engine, examiner, after=ACTIVITY_PATIENCE + SECOND) is None
    engine.add(taskCompleted=protos.TaskCompletedEvent(taskScheduledId=1))

    assert await examine(engine, examiner, after=SEEN_AGAIN) is None
    assert await examine(engine, examiner, after=STUCK) is None


async def test_an_activity_that_is_running_is_not_overdue(
    engine: OneInstance, examiner: Examiner
) -> None:
    """The worker knows what it is running."""
    engine.schedule()
    engine.running = {1}

    assert await examine(engine, examiner, after=STUCK) is None
    assert engine.raised == []


async def test_a_busy_engine_is_not_called_damaged(engine: OneInstance, examiner: Examiner) -> None:
    """As long as it has not handled the event, it may handle what was due before."""
    engine.schedule()
    engine.handles_events = False
    assert await examine(engine, examiner, after=ACTIVITY_PATIENCE + SECOND) is None
    assert await examine(engine, examiner, after=STUCK - SECOND) is None

    found = await examine(engine, examiner, after=SECOND)

    assert found is not None
    assert "has handled no event" in found.detail


async def test_a_clock_that_is_fast_finds_nothing(engine: OneInstance) -> None:
    """Before a timer is called lost, it must be overdue by the engine's clock, too."""
    ahead = timedelta(hours=2)
    examiner = Examiner(engine, lambda *_: False, lambda: engine.now + ahead)
    engine.set_timer(timedelta(hours=1))

    for _ in range(5):
        assert await examine(engine, examiner, after=SEEN_AGAIN) is None
    assert engine.raised == [PROGRESS_CHECK]


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (InstanceDamaged("an entry is missing"), Kind.DAMAGED_HISTORY),
        (NoSuchInstance("one"), Kind.LOST_INSTANCE),
    ],
)
async def test_an_instance_that_the_engine_does_not_return_is_found(
    engine: OneInstance, examiner: Examiner, error: Exception, kind: Kind
) -> None:
    """The engine must say the same twice, because it may be writing the instance."""
    engine.error = error
    assert await examine(engine, examiner) is None
    assert await examine(engine, examiner, after=SEEN_AGAIN - SECOND) is None

    found = await examine(engine, examiner, after=SECOND)

    assert found is not None
    assert found.kind is kind
    assert found.recording is None


async def test_an_instance_that_is_not_started_is_woken_and_then_found(
    engine: OneInstance, examiner: Examiner
) -> None:
    """Its first reminder may be lost; an instance that has just been created has no events yet."""
    engine.events.clear()
    engine.handles_events = False
    assert await examine(engine, examiner) is None
    assert engine.raised == []

    assert await examine(engine, examiner, after=SEEN_AGAIN) is None
    assert engine.raised == [PROGRESS_CHECK]
    assert await examine(engine, examiner, after=STUCK - SECOND) is None
    assert await examine(engine, examiner, after=SECOND) is not None


async def test_a_history_that_does_not_fit_the_code_is_damaged(
    engine: OneInstance, examiner: Examiner
) -> None:
    """Any other failure is the workflow's own."""
    engine.fail("ValueError")
    assert await examine(engine, examiner) is None
    engine.events.pop()

    engine.fail("NonDeterminismError")
    found = await examine(engine, examiner)

    assert found is not None
    assert (found.kind, found.detail) == (Kind.DAMAGED_HISTORY, "it failed")


async def test_a_damaged_history_is_found_at_once(engine: OneInstance, examiner: Examiner) -> None:
    """A workflow that has ended well needs no replacement, whatever its history is like."""
    engine.schedule()
    engine.schedule()
    found = await examine(engine, examiner)
    assert found is not None
    assert found.kind is Kind.DAMAGED_HISTORY
    assert found.recording is not None

    engine.add(2, executionCompleted=protos.ExecutionCompletedEvent())
    assert await examine(engine, examiner) is None


async def test_a_history_without_a_known_effect_was_set_back(
    engine: OneInstance, examiner: Examiner
) -> None:
    """A run that took the place of another one has not come so far yet."""
    engine.schedule(1, "reserve")
    assert await examiner.examine("one", "reserve") is None
    assert await examiner.examine("one", "pay") is None
    assert engine.raised == [PROGRESS_CHECK]
    engine.now += SEEN_AGAIN
    found = await examiner.examine("one", "pay")
    assert found is not None
    assert "pay" in found.detail

    del engine.events[2:]
    engine.schedule(APART + 1, "reserve")
    engine.now += SEEN_AGAIN
    assert await examiner.examine("one", "pay") is None


async def test_what_was_seen_is_forgotten(engine: OneInstance, examiner: Examiner) -> None:
    """An instance that was replaced is examined as a new one; so is one not seen for long."""
    engine.error = NoSuchInstance("one")
    assert await examine(engine, examiner) is None
    examiner.forget("one")
    assert await examine(engine, examiner, after=SEEN_AGAIN) is None

    engine.now += 2 * STUCK + SECOND
    examiner.forget_old()
    assert await examine(engine, examiner) is None
