"""Replays a recorded history against the current code, and finds where the two differ.

The SDK's own executor replays it event by event. By itself, it does not notice that the code
schedules more than was recorded, or that it ends earlier, later or differently: a worker would find
out only by doing it. So this checks, at the end of every recorded turn, that nothing is pending
that was not recorded.
"""

import logging
from collections.abc import Mapping
from datetime import UTC
from typing import Any, Final

from dapr.ext.workflow import WorkflowRuntime
from dapr.ext.workflow._durabletask import task
from dapr.ext.workflow._durabletask import worker as sdk_worker
from dapr.ext.workflow._durabletask.internal import protos, timer

from orderflow_workflow_runtime.authoring.tasks import Workflow
from orderflow_workflow_runtime.histories import HistoryUnavailable, Recording
from orderflow_workflow_runtime.replay.misfit import AT_THE_END, Misfit
from orderflow_workflow_runtime.replay.wording import asking, ending, meaning
from orderflow_workflow_runtime.upstream.doubled_logs import logged_once
from orderflow_workflow_runtime.upstream.pausing import repair_pausing
from orderflow_workflow_runtime.upstream.registration import unmarked

_CONTINUED: Final = protos.ORCHESTRATION_STATUS_CONTINUED_AS_NEW
_TURN: Final = "workflowStarted"
_END: Final = "executionCompleted"
_ASKED_FOR: Final = frozenset(
    {"taskScheduled", "timerCreated", "childWorkflowInstanceCreated", "eventSent"}
)

_silent = logging.getLogger(f"{__name__}.silent")
_silent.addHandler(logging.NullHandler())
_silent.propagate = False


def replay(recording: Recording, workflows: Mapping[str, Workflow]) -> Misfit | None:
    """Return where a history and the code differ; None when they agree.

    Raises `HistoryUnavailable` for a recording without a history.
    """
    repair_pausing()
    events = recording.history()
    if not any(event.HasField("executionStarted") for event in events):
        raise HistoryUnavailable(f"the history of {recording.instance_id} has no beginning")
    return _Replay(recording.instance_id, _registry(workflows)).run(events)


class _Differs(Exception):
    """The code does something that was not recorded; the message says what."""


class _Replay:
    def __init__(self, instance_id: str, registry: Any) -> None:
        self._instance_id = instance_id
        self._registry = registry
        self._begin()

    def _begin(self) -> None:
        self._executor: Any = sdk_worker._OrchestrationExecutor(self._registry, _silent)  # noqa: SLF001
        self._ctx: Any = sdk_worker._RuntimeOrchestrationContext(self._instance_id)  # noqa: SLF001
        self._begun = False
        self._has_failed = False

    def run(self, events: list[Any]) -> Misfit | None:
        """Process the events; return the first misfit."""
        for number, event in enumerate(events, 1):
            try:
                self._take(event)
            except _Differs as differs:
                return Misfit.of(number, event, str(differs))
        try:
            self._check_turn()
        except _Differs as differs:
            at = events[-1].timestamp.ToDatetime(UTC)
            return Misfit(len(events) + 1, None, at, AT_THE_END, None, str(differs))
        return None

    def _take(self, event: Any) -> None:
        kind = event.WhichOneof("eventType")
        if kind == _END:
            self._check_end(event)
        elif kind == _TURN:
            self._check_turn()
            self._process(event)
        elif kind in _ASKED_FOR and self._ctx._is_complete:  # noqa: SLF001
            raise _Differs(self._instead({}))
        elif not self._has_failed:  # the worker ignores the rest of a turn that has failed
            self._process(event)

    def _process(self, event: Any) -> None:
        pending = dict(self._ctx._pending_actions)  # noqa: SLF001
        self._begun = self._begun or event.HasField("executionStarted")
        try:
            self._executor.process_event(self._ctx, event)
        except task.NonDeterminismError:
            raise _Differs(self._instead(pending, event.eventId)) from None
        except sdk_worker.OrchestratorNotRegisteredError:
            name = event.executionStarted.name
            raise _Differs(f"the code has no workflow named {name}") from None
        except sdk_worker.VersionNotRegisteredException:
            version = self._ctx._orchestrator_version_name  # noqa: SLF001
            raise _Differs(f"the code has no version {version} of the workflow") from None
        except Exception as error:  # noqa: BLE001 # as in the worker, any failure is the workflow's
            self._ctx.set_failed(error)
            self._has_failed = True

    def _check_turn(self) -> None:
        pending = self._ctx._pending_actions  # noqa: SLF001
        if self._begun and (
            self._ctx._is_complete  # noqa: SLF001
            or any(not timer.is_optional_timer_action(action) for action in pending.values())
        ):
            raise _Differs(self._instead(pending))

    def _check_end(self, event: Any) -> None:
        end = self._end()
        if end is None:
            raise _Differs(self._instead(self._ctx._pending_actions))  # noqa: SLF001
        then = event.executionCompleted
        if meaning(end) != meaning(then):
            raise _Differs(f"{ending(end)}; it was: {ending(then)}")
        if then.workflowStatus == _CONTINUED:
            self._begin()
        else:
            self._begun = False  # the history ends here

    def _end(self) -> Any:
        """Return how the workflow ended in the replay; None if it has not."""
        if not self._ctx._is_complete:  # noqa: SLF001
            return None
        actions = self._ctx.get_actions()
        return next(a.completeWorkflow for a in actions if a.HasField("completeWorkflow"))

    def _instead(self, pending: Mapping[int, Any], event_id: int = 0) -> str:
        """Describe what the code does instead, at the event of this id if it is given."""
        if (end := self._end()) is not None:
            return ending(end)
        later = sorted(number for number in pending if number >= event_id) or sorted(pending)
        real = [n for n in later if not timer.is_optional_timer_action(pending[n])]
        for number in [*real, *later]:
            return asking(pending[number])
        awaited = ", ".join(sorted(self._ctx._pending_events))  # noqa: SLF001
        return f"the code waits for {f'the event {awaited}' if awaited else 'what it asked for'}"


def _registry(workflows: Mapping[str, Workflow]) -> Any:
    """Register workflows as the worker does, so that inputs are read in the same way."""
    runtime = WorkflowRuntime(logger_options=logged_once())
    for name, workflow in workflows.items():
        runtime.register_workflow(unmarked(workflow), name=name)
    return runtime._WorkflowRuntime__worker._registry  # type: ignore[attr-defined] # noqa: SLF001
