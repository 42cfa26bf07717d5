"""The worker's connection to the sidecar: lets only safe work items and answers pass.

`turns` has the rule.
"""

import queue
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any, Final, Self

import grpc
from dapr.ext.workflow._durabletask.internal.protos import CompleteTaskResponse

from orderflow_workflow_runtime.upstream.torn_histories.restarts import Restarts
from orderflow_workflow_runtime.upstream.torn_histories.turns import Turns

ITEMS: Final = "/GetWorkItems"
ANSWERS: Final = ("/CompleteOrchestratorTask", "/CompleteWorkflowTask")
ARRIVED: Final = (grpc.StatusCode.OK, grpc.StatusCode.RESOURCE_EXHAUSTED)
"""How the call with an answer ends if it has arrived, or is too large to ever arrive."""
LOOK_SECONDS: Final = 1.0
"""How often lost answers are looked for while no work item comes."""

Continuation = Callable[[grpc.ClientCallDetails, Any], Any]


class SafeTurns(  # grpcio has no types
    grpc.UnaryStreamClientInterceptor,  # type: ignore[misc]
    grpc.UnaryUnaryClientInterceptor,  # type: ignore[misc]
):
    """Keeps unsafe work items from the worker, and answers to replaced ones from the engine."""

    def __init__(self, turns: Turns, restarts: Restarts) -> None:
        self._turns = turns
        self._restarts = restarts
        self.is_on = True
        """Whether work items and answers are filtered."""

    def intercept_unary_stream(
        self, continuation: Continuation, client_call_details: grpc.ClientCallDetails, request: Any
    ) -> Any:
        """Filter the stream of work items; leave every other stream as it is."""
        if not self.is_on or not _is_one_of(client_call_details, ITEMS):
            return continuation(client_call_details, request)
        self._turns.open(time.time())
        stream = continuation(client_call_details, request)
        return _SafeItems(stream, self._turns, self._restarts)

    def intercept_unary_unary(
        self, continuation: Continuation, client_call_details: grpc.ClientCallDetails, request: Any
    ) -> Any:
        """Send an answer if it may be sent, and record its arrival; make every other call."""
        if not self.is_on or not _is_one_of(client_call_details, *ANSWERS):
            return continuation(client_call_details, request)
        if not self._turns.begin_answer(request, time.time()):
            return _NotCalled()
        try:
            call = continuation(client_call_details, request)
        except BaseException:
            self._turns.end_answer(request.instanceId, time.time(), arrived=False)
            raise
        call.add_done_callback(partial(self._end_answer, request.instanceId))
        return call

    def _end_answer(self, instance_id: str, call: Any) -> None:
        self._turns.end_answer(instance_id, time.time(), arrived=call.code() in ARRIVED)


class _NotCalled:
    """Replaces a call that was not made."""

    def result(self) -> CompleteTaskResponse:
        """Return the sidecar's usual reply to such a call."""
        return CompleteTaskResponse()


class _SafeItems:
    """A stream of work items as the SDK reads it, one by one, until it is cancelled."""

    def __init__(self, stream: Any, turns: Turns, restarts: Restarts) -> None:
        self._stream = stream
        self._turns = turns
        self._restarts = restarts
        self._arrived: queue.SimpleQueue[Any] = queue.SimpleQueue()
        threading.Thread(target=self._read, name="work-items", daemon=True).start()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Any:
        while True:
            self._restarts.begin_due()
            try:
                item = self._arrived.get(timeout=self._turns.pause(time.time(), LOOK_SECONDS))
            except queue.Empty:
                continue
            if isinstance(item, Exception):
                self._arrived.put(item)  # the next call gets the same
                raise item
            if self._turns.take(item, time.time()):
                return item

    def cancel(self) -> bool:
        """Cancel the stream, which ends the reading thread too."""
        return bool(self._stream.cancel())

    def _read(self) -> None:
        try:
            for item in self._stream:
                self._arrived.put(item)
        except Exception as error:  # noqa: BLE001 # the reader raises it again
            self._arrived.put(error)
        else:
            self._arrived.put(StopIteration())


def _is_one_of(details: grpc.ClientCallDetails, *names: str) -> bool:
    method = details.method
    return (method.decode() if isinstance(method, bytes) else str(method)).endswith(names)
