"""Lets a workflow be paused twice, and resumed while it runs.

Upstream: not reported as of 2026-11. microsoft/durabletask-python#42 is about another fault of the
same code, in the project that the SDK was copied from.

Versions: SDK 1.19.0 (`dapr.ext.workflow._durabletask.worker`), with any Dapr.

How it shows: an instance that is paused twice makes the worker loop for ever once it is resumed,
and use up all memory: the second pause was buffered with the events that wait; it pauses the
instance again while the buffer is being processed, so each further event is appended to the very
list that the loop goes through. An instance that is resumed while it runs fails. The sidecar
accepts such calls from anyone, so neither can be prevented at the edge.

Delete when: `tests/system/upstream/test_pausing.py` fails because the SDK handles both.
"""

from functools import wraps
from typing import Any

from dapr.ext.workflow._durabletask import worker as sdk_worker


def repair_pausing() -> None:
    """Make the SDK ignore a pause of a paused instance, and a resumption of a running one."""
    executor = sdk_worker._OrchestrationExecutor  # noqa: SLF001 # the SDK offers no hook for this
    original = executor.process_event
    if hasattr(original, "__wrapped__"):
        return  # it has been repaired

    @wraps(original)
    def process_event(self: Any, ctx: Any, event: Any) -> None:
        needless = "executionSuspended" if self._is_suspended else "executionResumed"
        if event.WhichOneof("eventType") != needless:
            original(self, ctx, event)

    executor.process_event = process_event  # type: ignore[method-assign]
