"""Observes on the worker's connection how workflow instances start and end."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final, Protocol, Self

import grpc
from dapr.ext.workflow._durabletask.internal import protos

from orderflow_contracts.fields import Clock, now
from orderflow_workflow_runtime.instances import RuntimeStatus

ITEMS: Final = "/GetWorkItems"
ANSWERS: Final = ("/CompleteOrchestratorTask", "/CompleteWorkflowTask")
ENDINGS: Final = {
    protos.ORCHESTRATION_STATUS_COMPLETED: RuntimeStatus.COMPLETED,
    protos.ORCHESTRATION_STATUS_FAILED: RuntimeStatus.FAILED,
    protos.ORCHESTRATION_STATUS_TERMINATED: RuntimeStatus.TERMINATED,
}

Continuation = Callable[[grpc.ClientCallDetails, Any], Any]


class Observer(Protocol):
    """Called for what happens to instances.

    The calls come from the worker's threads and delay its turns. They must not raise.
    """

    def started(self, instance_id: str, name: str, at: datetime) -> None:
        """Take note that an instance has started; this can be repeated."""
        ...

    def became(self, instance_id: str, status: RuntimeStatus, at: datetime) -> None:
        """Take note that an instance has ended, or was suspended or resumed."""
        ...


class ObservedTurns(  # grpcio has no types
    grpc.UnaryStreamClientInterceptor,  # type: ignore[misc]
    grpc.UnaryUnaryClientInterceptor,  # type: ignore[misc]
):
    """Reports the turns that the engine sends, and the answers that have arrived there."""

    def __init__(self, observer: Observer, clock: Clock = now) -> None:
        self._observer = observer
        self._clock = clock

    def intercept_unary_stream(
        self, continuation: Continuation, client_call_details: grpc.ClientCallDetails, request: Any
    ) -> Any:
        """Observe the stream of work items."""
        stream = continuation(client_call_details, request)
        if not _is_one_of(client_call_details, ITEMS):
            return stream
        return _ObservedItems(stream, self._observer, self._clock)

    def intercept_unary_unary(
        self, continuation: Continuation, client_call_details: grpc.ClientCallDetails, request: Any
    ) -> Any:
        """Observe an answer that ends an instance, once it has arrived."""
        call = continuation(client_call_details, request)
        if _is_one_of(client_call_details, *ANSWERS):
            status = _ending(request)
            if status is not None:
                call.add_done_callback(partial(self._ended, request.instanceId, status))
        return call

    def _ended(self, instance_id: str, status: RuntimeStatus, call: Any) -> None:
        if call.code() is grpc.StatusCode.OK:
            self._observer.became(instance_id, status, self._clock())


class _ObservedItems:
    """A stream of work items that is read one by one, until it is cancelled."""

    def __init__(self, stream: Any, observer: Observer, clock: Clock) -> None:
        self._stream = stream
        self._items: Iterator[Any] = iter(stream)
        self._observer = observer
        self._clock = clock

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Any:
        item = next(self._items)
        if item.HasField("workflowRequest"):
            self._observe(item.workflowRequest)
        return item

    def cancel(self) -> bool:
        """Cancel the stream."""
        return bool(self._stream.cancel())

    def _observe(self, turn: Any) -> None:
        """Report what the new events of a turn say about the instance."""
        for event in turn.newEvents:
            kind = event.WhichOneof("eventType")
            if kind == "executionStarted":
                at = event.timestamp.ToDatetime(UTC)
                self._observer.started(turn.instanceId, event.executionStarted.name, at)
            elif kind == "executionSuspended":
                self._became(turn, RuntimeStatus.SUSPENDED)
            elif kind == "executionResumed":
                self._became(turn, RuntimeStatus.RUNNING)

    def _became(self, turn: Any, status: RuntimeStatus) -> None:
        self._observer.became(turn.instanceId, status, self._clock())


def _ending(answer: Any) -> RuntimeStatus | None:
    """Return the status in which an answer ends the instance; None if it goes on."""
    for action in answer.actions:
        if action.HasField("completeWorkflow"):
            return ENDINGS.get(action.completeWorkflow.workflowStatus)
    return None


def _is_one_of(details: grpc.ClientCallDetails, *names: str) -> bool:
    method = details.method
    return (method.decode() if isinstance(method, bytes) else str(method)).endswith(names)
