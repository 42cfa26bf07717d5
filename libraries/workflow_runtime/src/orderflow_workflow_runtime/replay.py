"""Replays recorded histories against the code as it is now, and finds where the two part.

It is done by the SDK's own executor, event by event, with what the worker repairs in it. The
executor lets pass what a worker would find out only later, by doing it: that the code asks for
more than was asked for at that time, that it ends sooner, later, or otherwise. Here the engine's
turns are known from the history, and each must leave nothing over.
"""

import json
import logging
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from types import FunctionType
from typing import Any, Final, Self

from dapr.ext.workflow import WorkflowRuntime
from dapr.ext.workflow._durabletask import task
from dapr.ext.workflow._durabletask import worker as sdk_worker
from dapr.ext.workflow._durabletask.internal import helpers, protos, timer
from dapr.ext.workflow.logger import LoggerOptions

import orderflow_workflow_runtime.worker  # noqa: F401 # it repairs the SDK when it is imported
from orderflow_workflow_runtime.authoring.tasks import Workflow
from orderflow_workflow_runtime.client import event_kind
from orderflow_workflow_runtime.histories import HistoryUnavailable, NoHistory, Recorder, Recording

AT_THE_END: Final = "end_of_history"
"""The type of a misfit after the last event."""

_CONTINUED: Final = protos.ORCHESTRATION_STATUS_CONTINUED_AS_NEW
_TURN: Final = "workflowStarted"
_END: Final = "executionCompleted"
_ASKED_FOR: Final = frozenset(
    {"taskScheduled", "timerCreated", "childWorkflowInstanceCreated", "eventSent"}
)

_silent = logging.getLogger(f"{__name__}.silent")
_silent.addHandler(logging.NullHandler())
_silent.propagate = False


@dataclass(frozen=True)
class Misfit:
    """The first event that the code does not lead to, and what the code does instead.

    `number` counts the events of the history from one; one more than it has is its end, where the
    code does something that should have been recorded. `event_id` is the engine's, if it has one.
    """

    number: int
    event_id: int | None
    at: datetime
    type: str
    name: str | None
    instead: str

    def __str__(self) -> str:
        which = f" (id {self.event_id})" if self.event_id is not None else ""
        name = f" {self.name}" if self.name else ""
        at = self.at.isoformat(timespec="milliseconds")
        return f"event {self.number}{which} at {at}, {self.type}{name}: {self.instead}"


def replay(recording: Recording, workflows: Mapping[str, Workflow]) -> Misfit | None:
    """Return where a history and the code part; None when they agree.

    Raises `HistoryUnavailable` for a recording that holds none.
    """
    events = recording.history()
    if not any(event.HasField("executionStarted") for event in events):
        raise HistoryUnavailable(f"the history of {recording.instance_id} has no beginning")
    return _Replay(recording.instance_id, _registry(workflows)).run(events)


class _Apart(Exception):
    """The code does something else; the message says what."""


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
        """Go through the events."""
        for number, event in enumerate(events, 1):
            try:
                self._take(event)
            except _Apart as apart:
                return _misfit(number, event, str(apart))
        try:
            self._expect_nothing_left()
        except _Apart as apart:
            at = events[-1].timestamp.ToDatetime(UTC)
            return Misfit(len(events) + 1, None, at, AT_THE_END, None, str(apart))
        return None

    def _take(self, event: Any) -> None:
        kind = event.WhichOneof("eventType")
        if kind == _END:
            self._compare_ends(event)
        elif kind == _TURN:
            self._expect_nothing_left()
            self._process(event)
        elif kind in _ASKED_FOR and self._ctx._is_complete:  # noqa: SLF001
            raise _Apart(self._doing({}))
        elif not self._has_failed:  # what else comes in that turn, the worker does not look at
            self._process(event)

    def _process(self, event: Any) -> None:
        pending = dict(self._ctx._pending_actions)  # noqa: SLF001
        self._begun = self._begun or event.HasField("executionStarted")
        try:
            self._executor.process_event(self._ctx, event)
        except task.NonDeterminismError:
            raise _Apart(self._doing(pending, event.eventId)) from None
        except sdk_worker.OrchestratorNotRegisteredError:
            name = event.executionStarted.name
            raise _Apart(f"the code has no workflow of the name {name}") from None
        except sdk_worker.VersionNotRegisteredException:
            wanted = self._ctx._orchestrator_version_name  # noqa: SLF001
            raise _Apart(f"the code has no version {wanted} of the workflow") from None
        except Exception as error:  # noqa: BLE001 # so does the worker: any failure is the workflow's
            self._ctx.set_failed(error)
            self._has_failed = True

    def _expect_nothing_left(self) -> None:
        pending = self._ctx._pending_actions  # noqa: SLF001
        if self._begun and (
            self._ctx._is_complete  # noqa: SLF001
            or any(not timer.is_optional_timer_action(action) for action in pending.values())
        ):
            raise _Apart(self._doing(pending))

    def _compare_ends(self, event: Any) -> None:
        end = self._end()
        if end is None:
            raise _Apart(self._doing(self._ctx._pending_actions))  # noqa: SLF001
        then = event.executionCompleted
        if _meaning(end) != _meaning(then):
            raise _Apart(f"{_ending(end)}; it was: {_ending(then)}")
        if then.workflowStatus == _CONTINUED:
            self._begin()
        else:
            self._begun = False  # nothing is expected any more

    def _end(self) -> Any:
        """Return how the code ends; None while it does not."""
        if not self._ctx._is_complete:  # noqa: SLF001
            return None
        actions = self._ctx.get_actions()
        return next(a.completeWorkflow for a in actions if a.HasField("completeWorkflow"))

    def _doing(self, pending: Mapping[int, Any], event_id: int = 0) -> str:
        """Say what the code does, at the event of this id or at all."""
        if (end := self._end()) is not None:
            return _ending(end)
        later = sorted(number for number in pending if number >= event_id) or sorted(pending)
        real = [n for n in later if not timer.is_optional_timer_action(pending[n])]
        for number in [*real, *later]:
            return _asking(pending[number])
        awaited = ", ".join(sorted(self._ctx._pending_events))  # noqa: SLF001
        return f"the code waits for {f'the event {awaited}' if awaited else 'what it asked for'}"


def _misfit(number: int, event: Any, instead: str) -> Misfit:
    kind = event.WhichOneof("eventType")
    payload: Any = getattr(event, kind) if kind else None
    return Misfit(
        number=number,
        event_id=event.eventId if event.eventId >= 0 else None,
        at=event.timestamp.ToDatetime(UTC),
        type=event_kind(kind),
        name=getattr(payload, "name", "") or None,
        instead=instead,
    )


def _meaning(end: Any) -> tuple[int, object]:
    """Return what must be the same of two ends; a failure's words may change."""
    if end.failureDetails.errorType:
        return end.workflowStatus, end.failureDetails.errorType
    try:
        return end.workflowStatus, json.loads(end.result.value or "null")
    except ValueError:  # an operator may terminate with any text
        return end.workflowStatus, end.result.value


def _ending(end: Any) -> str:
    status = helpers.get_orchestration_status_str(end.workflowStatus)
    if end.failureDetails.errorType:
        return f"the workflow fails with {end.failureDetails.errorType}"
    return f"the workflow ends as {status} with {end.result.value or 'nothing'}"


def _asking(action: Any) -> str:
    kind = action.WhichOneof("workflowActionType")
    wanted = getattr(action, kind)
    if kind == "scheduleTask":
        return f"the code calls the activity {wanted.name}"
    if kind == "createChildWorkflow":
        return f"the code starts the child workflow {wanted.name}"
    if kind == "createTimer":
        if wanted.HasField("externalEvent"):
            return f"the code waits for the event {wanted.externalEvent.name}"
        again = wanted.HasField("activityRetry") or wanted.HasField("childWorkflowRetry")
        return "the code pauses before it tries again" if again else "the code sets a timer"
    return f"the code asks for {kind}"


def _registry(workflows: Mapping[str, Workflow]) -> Any:
    """Register workflows as the worker does, so that inputs are read in the same way."""
    runtime = WorkflowRuntime(logger_options=LoggerOptions("WARNING", logging.NullHandler()))
    for name, workflow in workflows.items():
        runtime.register_workflow(_fresh(workflow), name=name)
    return runtime._WorkflowRuntime__worker._registry  # type: ignore[attr-defined] # noqa: SLF001


def _fresh(workflow: Any) -> Workflow:
    """Copy a function without the marks of the runtime, which registers one only once."""
    copy = FunctionType(
        workflow.__code__,
        workflow.__globals__,
        workflow.__name__,
        workflow.__defaults__,
        workflow.__closure__,
    )
    copy.__annotations__ = workflow.__annotations__
    copy.__kwdefaults__ = workflow.__kwdefaults__
    return copy


class Replays:
    """Replays of one service's workflows, as the `orderflow` command calls them.

    A service offers them under the entry point `orderflow.workflows`. The result of a replay is
    `{"instance_id", "workflow", "events", "fits", "misfit", "where"}`: `misfit` is null or has the
    fields of `Misfit`, and `where` puts it into words.
    """

    Unavailable: Final = HistoryUnavailable
    """What every method may raise, with a sentence for a person."""

    def __init__(self, workflows: Mapping[str, Workflow], sidecar: str) -> None:
        self._workflows = workflows
        self._recorder = Recorder(sidecar)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._recorder.close()

    def record(self, instance_id: str) -> str:
        """Return the history of a live instance, as the text of a file."""
        return self._recorder.record(instance_id).model_dump_json(indent=1) + "\n"

    def file(self, text: bytes, source: str) -> dict[str, Any]:
        """Replay what a file holds."""
        return self._told(Recording.read(text, source))

    def instance(self, instance_id: str) -> dict[str, Any]:
        """Replay a live instance."""
        told = self._told(self._recorder.record(instance_id))
        # The engine may write while it reads; what does not fit must not fit twice.
        return told if told["fits"] else self._told(self._recorder.record(instance_id))

    def unfinished(self) -> Iterator[dict[str, Any]]:
        """Replay every instance that has begun and not ended."""
        for instance_id in self._recorder.unfinished():
            with suppress(NoHistory):  # it has not begun, or has gone meanwhile
                yield self.instance(instance_id)

    def _told(self, recording: Recording) -> dict[str, Any]:
        misfit = replay(recording, self._workflows)
        return {
            "instance_id": recording.instance_id,
            "workflow": recording.workflow,
            "events": len(recording.events),
            "fits": misfit is None,
            "misfit": misfit and {**asdict(misfit), "at": misfit.at.isoformat()},
            "where": str(misfit) if misfit else None,
        }
