"""Reads the engine's messages: the state of an instance, and the events of its history."""

import json
from datetime import UTC, datetime
from typing import Any, Final

from dapr.ext.workflow import WorkflowHistoryEventType, WorkflowState

from orderflow_workflow_runtime.instances import Failure, HistoryEvent, Instance, RuntimeStatus

_TYPES: Final = {
    WorkflowHistoryEventType.EXECUTION_STARTED: "workflow_started",
    WorkflowHistoryEventType.EXECUTION_COMPLETED: "workflow_completed",
    WorkflowHistoryEventType.EXECUTION_TERMINATED: "workflow_terminated",
    WorkflowHistoryEventType.EXECUTION_SUSPENDED: "workflow_suspended",
    WorkflowHistoryEventType.EXECUTION_RESUMED: "workflow_resumed",
    WorkflowHistoryEventType.WORKFLOW_STARTED: "turn_started",
    WorkflowHistoryEventType.WORKFLOW_COMPLETED: "turn_completed",
}
_RERUNNABLE: Final = {"task_scheduled", "timer_created", "child_workflow_instance_created"}


def read_instance(state: WorkflowState) -> Instance:
    """Read the state of an instance as the SDK's client returns it."""
    failure = state.failure_details
    return Instance(
        instance_id=state.instance_id,
        name=state.name,
        runtime_status=RuntimeStatus(state.runtime_status.name),
        created_at=_utc(state.created_at),
        last_updated_at=_utc(state.last_updated_at),
        input=_value(state.serialized_input),
        output=_value(state.serialized_output),
        custom_status=_value(state.serialized_custom_status),
        failure=Failure.of(failure.error_type, failure.message) if failure else None,
    )


def read_history(events: Any) -> list[HistoryEvent]:
    """Read the engine's events, oldest first."""
    beginnings: dict[tuple[str, int], HistoryEvent] = {}
    history: list[HistoryEvent] = []
    for event in events:
        field = event.WhichOneof("eventType")
        payload: Any = getattr(event, field) if field else None
        read = _read_event(event, event_type(field), payload)
        began = beginnings.get(_ends(read.type, payload))
        if read.type == "workflow_completed" and history:
            read.duration_seconds = (read.at - history[0].at).total_seconds()
        elif began is not None:
            read.name = read.name or began.name
            read.duration_seconds = (read.at - began.at).total_seconds()
        if read.is_rerunnable:
            kind = "timer" if read.type == "timer_created" else "task"
            beginnings[kind, event.eventId] = read
        history.append(read)
    return history


def _read_event(event: Any, type_: str, payload: Any) -> HistoryEvent:
    return HistoryEvent(
        event_id=event.eventId if event.eventId >= 0 else None,
        at=_utc(event.timestamp.ToDatetime()),
        type=type_,
        name=getattr(payload, "name", "") or None,
        input=_field(payload, "input"),
        output=_field(payload, "result"),
        error=_error(payload),
        is_rerunnable=type_ in _RERUNNABLE,
    )


def _ends(type_: str, payload: Any) -> tuple[str, int]:
    """Return the kind and the id of what an event ends; the id is -1 if it ends nothing."""
    if type_ == "timer_fired":
        return "timer", payload.timerId
    return "task", getattr(payload, "taskScheduledId", -1)


def event_type(field: str | None) -> str:
    """Return the name of an event's type, given the name of its field in the engine's message."""
    known = WorkflowHistoryEventType(field)
    return _TYPES.get(known, known.name.lower())


def _field(payload: Any, name: str) -> Any:
    return _value(getattr(payload, name).value) if hasattr(payload, name) else None


def _error(payload: Any) -> str | None:
    details = getattr(payload, "failureDetails", None)
    return f"{details.errorType}: {details.errorMessage}" if details and details.errorType else None


def _value(text: str | None) -> Any:
    if not text:
        return None
    try:
        return json.loads(_sendable(text), parse_constant=str)
    except ValueError:
        return text


def _sendable(text: str) -> str:
    """Replace escaped lone surrogates, which JSON may contain and UTF-8 cannot encode."""
    if "\\ud" not in text.lower():
        return text
    whole = json.dumps(json.loads(text), ensure_ascii=False)
    return whole.encode("utf-8", "replace").decode()


def _utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
