"""The worker's connection to the sidecar, on which each turn of a workflow is answered once."""

import queue
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any, Final, Self

import grpc
from dapr.ext.workflow._durabletask.internal.protos import CompleteTaskResponse

from orders.turns import Turns

ITEMS: Final = "/GetWorkItems"
ANSWERS: Final = ("/CompleteOrchestratorTask", "/CompleteWorkflowTask")

Continuation = Callable[[grpc.ClientCallDetails, Any], Any]


class OneAnswerATurn(  # grpcio has no types
    grpc.UnaryStreamClientInterceptor,  # type: ignore[misc]
    grpc.UnaryUnaryClientInterceptor,  # type: ignore[misc]
):
    """Keeps from the worker, and from the sidecar, what belongs to turns that were replaced."""

    def __init__(self) -> None:
        self._turns = Turns()

    def intercept_unary_stream(
        self, continuation: Continuation, client_call_details: grpc.ClientCallDetails, request: Any
    ) -> Any:
        """Sort the stream of work items; pass on every other as it is."""
        if not _is_one_of(client_call_details, ITEMS):
            return continuation(client_call_details, request)
        self._turns.open(time.time())
        return _Sorted(continuation(client_call_details, request), self._turns)

    def intercept_unary_unary(
        self, continuation: Continuation, client_call_details: grpc.ClientCallDetails, request: Any
    ) -> Any:
        """Hold back an answer that is not wanted; make every other call."""
        if _is_one_of(client_call_details, *ANSWERS) and not self._turns.may_answer(
            request, time.time()
        ):
            return _NotCalled()
        return continuation(client_call_details, request)


class _NotCalled:
    """Stands for a call that was not made."""

    def result(self) -> CompleteTaskResponse:
        """Return what the sidecar answers to all such calls."""
        return CompleteTaskResponse()


class _Sorted:
    """A stream of work items as the SDK reads it: one after the other, until cancelled."""

    def __init__(self, stream: Any, turns: Turns) -> None:
        self._stream = stream
        self._turns = turns
        self._arrived: queue.SimpleQueue[list[Any] | Exception] = queue.SimpleQueue()
        self._ready: deque[Any] = deque()
        threading.Thread(target=self._read, name="work-items", daemon=True).start()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Any:
        while not self._ready:
            try:
                arrived = self._arrived.get(timeout=self._turns.pause(time.time()))
            except queue.Empty:
                self._ready.extend(self._turns.due(time.time()))
                continue
            if isinstance(arrived, Exception):
                self._arrived.put(arrived)  # whoever asks again learns the same
                raise arrived
            self._ready.extend(arrived)
        return self._ready.popleft()

    def cancel(self) -> bool:
        """End the stream, and with it the reading."""
        return bool(self._stream.cancel())

    def _read(self) -> None:
        """Read to the end, and hand over also when nothing may pass: the waiting may be shorter."""
        try:
            for item in self._stream:
                self._arrived.put(self._turns.take(item, time.time()))
        except Exception as error:  # noqa: BLE001 # whatever it is, the reader raises it again
            self._arrived.put(error)
        else:
            self._arrived.put(StopIteration())


def _is_one_of(details: grpc.ClientCallDetails, *names: str) -> bool:
    method = details.method
    return (method.decode() if isinstance(method, bytes) else str(method)).endswith(names)
