"""What an observer of a worker's connection is told, and what passes on."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import grpc
import pytest
from dapr.ext.workflow._durabletask.internal import protos

from orderflow_workflow_runtime.instances import RuntimeStatus
from orderflow_workflow_runtime.observing import ObservedTurns

AT = datetime(2026, 3, 1, tzinfo=UTC)


class Notes:
    """An observer that takes notes."""

    def __init__(self) -> None:
        self.taken: list[tuple[Any, ...]] = []

    def started(self, instance_id: str, name: str, at: datetime) -> None:
        self.taken.append((instance_id, name, at))

    def became(self, instance_id: str, status: RuntimeStatus, at: datetime) -> None:
        assert abs((datetime.now(UTC) - at).total_seconds()) < 60
        self.taken.append((instance_id, status))


class Details:
    """The details of a call; only the name is used."""

    def __init__(self, method: str | bytes) -> None:
        self.method = method


ITEMS = Details("/TaskHubSidecarService/GetWorkItems")
ANSWERS = (
    Details("/TaskHubSidecarService/CompleteOrchestratorTask"),
    Details(b"/TaskHubSidecarService/CompleteWorkflowTask"),
)


class Stream:
    """A stream of work items that can be cancelled."""

    def __init__(self, *items: Any) -> None:
        self._items = items
        self.is_cancelled = False

    def __iter__(self) -> Iterator[Any]:
        return iter(self._items)

    def cancel(self) -> bool:
        self.is_cancelled = True
        return True


class Call:
    """A call that has ended with this code once its callbacks are added."""

    def __init__(self, code: grpc.StatusCode) -> None:
        self._code = code

    def code(self) -> grpc.StatusCode:
        return self._code

    def add_done_callback(self, done: Any) -> None:
        done(self)


@pytest.fixture
def notes() -> Notes:
    return Notes()


def turn(instance_id: str, *events: Any) -> Any:
    past = [protos.HistoryEvent(executionSuspended=protos.ExecutionSuspendedEvent())]
    request = protos.WorkflowRequest(instanceId=instance_id, pastEvents=past, newEvents=events)
    return protos.WorkItem(workflowRequest=request)


def start_of(name: str) -> Any:
    event = protos.HistoryEvent(executionStarted=protos.ExecutionStartedEvent(name=name))
    event.timestamp.FromDatetime(AT)
    return event


def answer(status: Any) -> Any:
    actions = [protos.WorkflowAction(scheduleTask=protos.ScheduleTaskAction(name="a"))]
    if status is not None:
        ends = protos.CompleteWorkflowAction(workflowStatus=status)
        actions.append(protos.WorkflowAction(completeWorkflow=ends))
    return protos.WorkflowResponse(instanceId="x", actions=actions)


def test_new_events_of_turns_are_observed_and_all_items_pass(notes: Notes) -> None:
    """Starts, suspensions and resumptions; not those of earlier turns, nor activities."""
    items = [
        turn(
            "a", protos.HistoryEvent(workflowStarted=protos.WorkflowStartedEvent()), start_of("w")
        ),
        protos.WorkItem(activityRequest=protos.ActivityRequest(name="an_activity")),
        turn("b", protos.HistoryEvent(eventRaised=protos.EventRaisedEvent(name="e"))),
        turn("b", protos.HistoryEvent(executionSuspended=protos.ExecutionSuspendedEvent())),
        turn("b", protos.HistoryEvent(executionResumed=protos.ExecutionResumedEvent())),
    ]

    stream = ObservedTurns(notes).intercept_unary_stream(lambda *_: Stream(*items), ITEMS, None)

    assert list(stream) == items
    assert notes.taken == [
        ("a", "w", AT),
        ("b", RuntimeStatus.SUSPENDED),
        ("b", RuntimeStatus.RUNNING),
    ]


def test_a_stream_can_be_cancelled(notes: Notes) -> None:
    """The SDK does so when it disconnects."""
    made = Stream()
    stream = ObservedTurns(notes).intercept_unary_stream(lambda *_: made, ITEMS, None)

    assert stream.cancel()
    assert made.is_cancelled


def test_other_streams_stay_as_they_are(notes: Notes) -> None:
    """Only that of work items is observed."""
    made = Stream(turn("a", start_of("w")))
    details = Details("/TaskHubSidecarService/StreamInstanceHistory")

    assert ObservedTurns(notes).intercept_unary_stream(lambda *_: made, details, None) is made


@pytest.mark.parametrize("details", ANSWERS)
@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (protos.ORCHESTRATION_STATUS_COMPLETED, RuntimeStatus.COMPLETED),
        (protos.ORCHESTRATION_STATUS_FAILED, RuntimeStatus.FAILED),
        (protos.ORCHESTRATION_STATUS_TERMINATED, RuntimeStatus.TERMINATED),
    ],
)
def test_the_end_of_an_instance_is_observed_once_it_has_arrived(
    notes: Notes, details: Details, sent: Any, status: RuntimeStatus
) -> None:
    """An answer that is lost ends nothing."""
    observed = ObservedTurns(notes)

    lost = Call(grpc.StatusCode.UNAVAILABLE)
    assert observed.intercept_unary_unary(lambda *_: lost, details, answer(sent)) is lost
    assert notes.taken == []

    observed.intercept_unary_unary(lambda *_: Call(grpc.StatusCode.OK), details, answer(sent))
    assert notes.taken == [("x", status)]


@pytest.mark.parametrize("sent", [None, protos.ORCHESTRATION_STATUS_CONTINUED_AS_NEW])
def test_an_instance_that_goes_on_has_not_ended(notes: Notes, sent: Any) -> None:
    """Nor has one that continues as new."""
    observed = ObservedTurns(notes)

    observed.intercept_unary_unary(lambda *_: Call(grpc.StatusCode.OK), ANSWERS[0], answer(sent))

    assert notes.taken == []


def test_other_calls_are_not_observed(notes: Notes) -> None:
    """The results of activities have other messages."""
    details = Details("/TaskHubSidecarService/CompleteActivityTask")
    call = Call(grpc.StatusCode.OK)
    result = protos.ActivityResponse(instanceId="x")

    assert ObservedTurns(notes).intercept_unary_unary(lambda *_: call, details, result) is call
    assert notes.taken == []
