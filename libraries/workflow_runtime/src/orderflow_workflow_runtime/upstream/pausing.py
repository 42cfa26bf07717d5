"""Makes it safe to pause a workflow twice, and to resume one that is running.

Upstream: not reported as of 2026-11. microsoft/durabletask-python#42 is about another fault of the
same code, in the project that the SDK was copied from.

Versions: SDK 1.19.0 (`dapr.ext.workflow._durabletask.worker`), with any Dapr.

Above: off. It replaces a private method of the SDK.

How it shows: an instance that was paused twice makes the worker loop for ever once it is resumed,
and use up all memory. The second pause was buffered with the other waiting events; it pauses the
instance again while the buffer is processed, so each further event is appended to the same list
that the loop iterates over. An instance that is resumed while it runs fails. The sidecar accepts
such calls from anyone, so services cannot prevent them.

Delete when: `tests/system/upstream/test_pausing.py` fails because the SDK handles both.
"""

from functools import wraps
from typing import Any, Final

from dapr.ext.workflow._durabletask import worker as sdk_worker

from orderflow_workflow_runtime.upstream.versions import SDK_VERSION, Fault

FAULT: Final = Fault("1.19")
"""A fault of the SDK."""


def repair_pausing() -> None:
    """Make the SDK ignore a pause of a paused instance, and a resume of a running one.

    Does nothing for an SDK above the faulty version.
    """
    if not FAULT.is_in(SDK_VERSION):
        return
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
