"""Which turns of workflows the worker answers: of one instance, the newest alone.

The sidecar begins one turn of an instance at a time, and gives a turn up when its worker is lost or
the call ends that began it. Its work item reaches a worker all the same, if need be the next one,
beside that of the turn which replaces it. And the sidecar knows an answer by the instance's id
alone: one too many is taken for the answer to the turn that comes next. That one's actions are then
in the history twice, and the workflow hangs, or fails as not deterministic. Dapr 1.18 does so.
"""

import itertools
import threading
from collections import OrderedDict
from typing import Any, Final

import structlog

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

HELD_SECONDS: Final = 2.0
"""So long a doubtful turn waits for the one that replaces it; the sidecar tries each second."""
REMEMBERED_SECONDS: Final = 60.0
_NANOSECONDS: Final = 1e9


class Turns:
    """Sorts the work items that come, and the answers that go; called from several threads.

    A turn is doubtful if it began before the stream on which it comes was opened, or before the
    last answer about its instance was sent: another one has replaced it, or that answer was taken
    for its own. It is held back until the next turn of its instance comes, and then dropped. If
    none comes it was a good one after all, and is handed on late. All times are in seconds since
    the epoch, by the clock that sidecar and worker share.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tokens = itertools.count(1)
        self._opened_at = 0.0
        self._newest: dict[str, str] = {}
        self._answered: OrderedDict[str, tuple[float, str]] = OrderedDict()
        self._held: dict[str, tuple[float, Any]] = {}

    def open(self, at: float) -> None:
        """Begin a new stream: the sidecar has given up what came on the one before."""
        with self._lock:
            self._opened_at = at
            self._newest.clear()
            self._held.clear()

    def take(self, item: Any, at: float) -> list[Any]:
        """Return the work items to be handed on now that this one has come."""
        if not item.HasField("workflowRequest"):
            return [item]
        request = item.workflowRequest
        with self._lock:
            item.completionToken = self._newest[request.instanceId] = str(next(self._tokens))
            if self._held.pop(request.instanceId, None) is not None:
                log.info("leftover_turn_dropped", instance_id=request.instanceId)
            if not self._is_doubtful(request):
                return [item]
            log.info("doubtful_turn_held", instance_id=request.instanceId)
            self._held[request.instanceId] = (at + HELD_SECONDS, item)
            return []

    def due(self, at: float) -> list[Any]:
        """Return the work items that were held back long enough."""
        with self._lock:
            due = [key for key, (until, _) in self._held.items() if until <= at]
            if due:
                log.info("doubtful_turns_handed_on", instance_ids=due)
            return [self._held.pop(key)[1] for key in due]

    def pause(self, at: float) -> float | None:
        """Tell in how many seconds something is due; None when nothing is held back."""
        with self._lock:
            first = min((until for until, _ in self._held.values()), default=None)
        return None if first is None else max(0.0, first - at)

    def may_answer(self, answer: Any, at: float) -> bool:
        """Tell whether this answer is to be sent: that to the newest turn of its instance."""
        with self._lock:
            if self._newest.get(answer.instanceId) != answer.completionToken:
                log.info("answer_to_leftover_turn_dropped", instance_id=answer.instanceId)
                return False
            self._answered[answer.instanceId] = (at, answer.completionToken)
            self._answered.move_to_end(answer.instanceId)
            self._forget(at - REMEMBERED_SECONDS)
            return True

    def _is_doubtful(self, request: Any) -> bool:
        began_at = _began_at(request)
        answered_at, _ = self._answered.get(request.instanceId, (0.0, ""))
        return began_at is not None and began_at < max(self._opened_at, answered_at)

    def _forget(self, before: float) -> None:
        while (first := next(iter(self._answered))) and self._answered[first][0] < before:
            _, token = self._answered.pop(first)
            if self._newest.get(first) == token:
                del self._newest[first]


def _began_at(request: Any) -> float | None:
    """Tell when the sidecar began this turn, by the last such event: it may have tried before."""
    moments = [event.timestamp for event in request.newEvents if event.HasField("workflowStarted")]
    return float(moments[-1].ToNanoseconds() / _NANOSECONDS) if moments else None
