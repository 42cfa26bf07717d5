"""Distinguishes failures of an event itself from failures of what the service depends on.

A failing dependency never makes an event a dead letter: the event is retried until it succeeds.
"""

import threading
from collections import OrderedDict, defaultdict

import grpc

from orderflow_hosting.problems import Problem, Unavailable

CONTRADICTED_ATTEMPTS = 5
EVENTS_REMEMBERED = 10_000
UNAVAILABLE_STATUS = 503

_DEPENDENCY_ERRORS = (
    Unavailable,
    OSError,  # includes TimeoutError
    MemoryError,
)
_PERHAPS_ABOUT_THE_EVENT = (
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.OUT_OF_RANGE,
    grpc.StatusCode.RESOURCE_EXHAUSTED,  # also for a message that is too large
)
"""Statuses by which a called service may refuse the content of an event."""


def is_around(error: Exception) -> bool:
    """Return whether a dependency, not the event itself, is known to have caused a failure."""
    if isinstance(error, Problem):
        return error.status == UNAVAILABLE_STATUS
    if isinstance(error, grpc.RpcError):
        code = getattr(error, "code", None)  # some clients' errors have none
        return code is None or code() not in _PERHAPS_ABOUT_THE_EVENT
    return isinstance(error, _DEPENDENCY_ERRORS)


class Suspects:
    """Events that fail for an unknown reason, with the evidence that they are the cause.

    An attempt counts only if another event of the same topic was handled since the previous one:
    the service works, and this event still fails. After several such attempts it is given up.
    While nothing else succeeds there is no such evidence, however long that lasts. Counts start
    from zero after a restart. Thread-safe.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._handled: defaultdict[str, int] = defaultdict(int)
        self._last_handled: dict[str, str] = {}
        self._suspects: OrderedDict[tuple[str, str], tuple[int, int]] = OrderedDict()

    def knows(self, topic: str, event_id: str) -> bool:
        """Return whether an event has failed before and is not given up."""
        with self._lock:
            return (topic, event_id) in self._suspects

    def handled(self, topic: str, event_id: str) -> None:
        """Record that an event was handled; a repeated delivery of it is no further evidence."""
        with self._lock:
            self._suspects.pop((topic, event_id), None)
            if self._last_handled.get(topic) != event_id:
                self._last_handled[topic] = event_id
                self._handled[topic] += 1

    def failed(self, topic: str, event_id: str) -> bool:
        """Record that an event failed for an unknown reason; return whether to give it up."""
        with self._lock:
            handled = self._handled[topic]
            count, handled_before = self._suspects.pop((topic, event_id), (0, handled))
            count += handled > handled_before
            if count >= CONTRADICTED_ATTEMPTS:
                return True
            self._suspects[topic, event_id] = (count, handled)
            if len(self._suspects) > EVENTS_REMEMBERED:
                self._suspects.popitem(last=False)
            return False
