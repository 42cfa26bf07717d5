"""Dapr's workflow engine behind the ports: start, look, steer, list, read histories.

The engine tells most of its failures by a text under one gRPC code, so the text is what is looked
at. `no such instance exists` and `already exists` are its words in Dapr 1.18.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any, TypeVar

import grpc
import grpc.aio
from dapr.ext.workflow import UNSET, WorkflowHistoryEventType, WorkflowState
from dapr.ext.workflow._durabletask.internal import (  # the SDK's client leaves out the payloads
    orchestrator_service_pb2,
    orchestrator_service_pb2_grpc,
)
from dapr.ext.workflow.aio import DaprWorkflowClient
from dapr.proto import api_service_v1, api_v1
from pydantic import BaseModel

from orderflow_hosting.settings import ServiceSettings
from orderflow_workflow_runtime.instances import Failure, HistoryEvent, Instance, RuntimeStatus
from orderflow_workflow_runtime.ports import (
    AlreadyRunning,
    CannotRerun,
    EngineUnavailable,
    NoSuchInstance,
)

T = TypeVar("T")

ANSWER_SECONDS = 10.0
PAUSES_WHILE_WRITTEN = (0.01, 0.03, 0.1, 0.3, 1.0)

_TYPES = {
    WorkflowHistoryEventType.EXECUTION_STARTED: "workflow_started",
    WorkflowHistoryEventType.EXECUTION_COMPLETED: "workflow_completed",
    WorkflowHistoryEventType.EXECUTION_TERMINATED: "workflow_terminated",
    WorkflowHistoryEventType.EXECUTION_SUSPENDED: "workflow_suspended",
    WorkflowHistoryEventType.EXECUTION_RESUMED: "workflow_resumed",
    WorkflowHistoryEventType.WORKFLOW_STARTED: "turn_started",
    WorkflowHistoryEventType.WORKFLOW_COMPLETED: "turn_completed",
}
_RERUNNABLE = {"task_scheduled", "timer_created", "child_workflow_instance_created"}


class DaprEngine:
    """The engine in the sidecar, for the workflows of this application."""

    def __init__(self, settings: ServiceSettings) -> None:
        self._client = DaprWorkflowClient(settings.sidecar_host, str(settings.dapr_grpc_port))
        self._channel = grpc.aio.insecure_channel(settings.sidecar_grpc)
        self._hub: Any = orchestrator_service_pb2_grpc.TaskHubSidecarServiceStub(self._channel)
        self._api: Any = api_service_v1.DaprStub(self._channel)

    async def start(self, workflow: str, instance_id: str, payload: Any) -> None:
        """Schedule a new instance; it replaces one under the same id that has finished."""
        data = payload.model_dump(mode="json") if isinstance(payload, BaseModel) else payload
        await _told(
            self._client.schedule_new_workflow(workflow, instance_id=instance_id, input=data)
        )

    async def instance(self, instance_id: str, *, payloads: bool = True) -> Instance | None:
        """Read an instance; None when there is none."""
        state = await _read(
            lambda: self._client.get_workflow_state(instance_id, fetch_payloads=payloads)
        )
        return _instance(state) if state is not None else None

    async def raise_event(self, instance_id: str, event: str, payload: Any) -> None:
        """Raise an external event, with whatever JSON value; the SDK would drop a false one."""
        data = payload.model_dump(mode="json") if isinstance(payload, BaseModel) else payload
        await _told(
            self._api.RaiseEventWorkflowBeta1(
                api_v1.RaiseEventWorkflowRequest(
                    instance_id=instance_id,
                    workflow_component="dapr",
                    event_name=event,
                    event_data=json.dumps(data).encode() if data is not None else b"",
                ),
                timeout=ANSWER_SECONDS,
            )
        )

    async def pause(self, instance_id: str) -> None:
        """Suspend an instance."""
        await _told(self._client.pause_workflow(instance_id))

    async def resume(self, instance_id: str) -> None:
        """Resume a suspended instance."""
        await _told(self._client.resume_workflow(instance_id))

    async def terminate(self, instance_id: str, output: Any = None) -> None:
        """End an instance and its children; an activity in hand is not interrupted."""
        await _told(self._client.terminate_workflow(instance_id, output=output))

    async def purge(self, instance_id: str) -> None:
        """Forget a finished instance and its children."""
        await _told(self._client.purge_workflow(instance_id))

    async def rerun(
        self, instance_id: str, event_id: int, new_instance_id: str | None, payload: Any = UNSET
    ) -> str:
        """Run a finished instance once more from an event on, as a new instance; return its id."""
        try:
            return await _told(
                self._client.rerun_workflow_from_event(
                    instance_id, event_id, new_instance_id=new_instance_id, input=payload
                )
            )
        except (ValueError, NoSuchInstance) as error:  # the instance was there a moment ago
            raise CannotRerun(str(error)) from error

    async def finished(self, instance_id: str) -> Instance | None:
        """Wait until an instance has finished; None when there is none."""
        state = await _read(lambda: self._client.wait_for_workflow_completion(instance_id))
        return _instance(state) if state is not None else None

    async def ids(self, limit: int, token: str | None) -> tuple[list[str], str | None]:
        """List so many instance ids, and the token to go on with, in an order of the store's."""
        page = await _told(
            self._client.list_workflow_instance_ids(page_size=limit, continuation_token=token)
        )
        return page.instance_ids, page.continuation_token or None

    async def history(self, instance_id: str) -> list[HistoryEvent]:
        """Read what happened to an instance, oldest first."""
        request = orchestrator_service_pb2.GetInstanceHistoryRequest(instanceId=instance_id)
        answer = await _read(lambda: self._hub.GetInstanceHistory(request, timeout=ANSWER_SECONDS))
        return story(answer.events)

    async def close(self) -> None:
        """Let go of the connection."""
        await self._channel.close()


class _ReadWhileWritten(EngineUnavailable):
    """The engine came upon half of what it was just writing."""


async def _read(call: Callable[[], Awaitable[T]]) -> T:
    """Ask again where the engine wrote the instance while it read it: it does not lock the two."""
    for pause in PAUSES_WHILE_WRITTEN:
        try:
            return await _told(call())
        except _ReadWhileWritten:
            await asyncio.sleep(pause)
    return await _told(call())


async def _told(call: Awaitable[T]) -> T:
    try:
        return await call
    except grpc.aio.AioRpcError as error:
        details = error.details() or error.code().name
        if "no such instance" in details or error.code() is grpc.StatusCode.NOT_FOUND:
            raise NoSuchInstance(details) from error
        if "already exists" in details or error.code() is grpc.StatusCode.ALREADY_EXISTS:
            raise AlreadyRunning(details) from error
        if error.code() is grpc.StatusCode.INVALID_ARGUMENT:
            raise CannotRerun(details) from error
        if "missing from state store" in details:
            raise _ReadWhileWritten(details) from error
        raise EngineUnavailable(details) from error


def _instance(state: WorkflowState) -> Instance:
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


def story(events: Any) -> list[HistoryEvent]:
    """Tell what the engine's events say, oldest first."""
    begun: dict[tuple[str, int], tuple[datetime, str | None]] = {}
    told: list[HistoryEvent] = []
    for event in events:
        field = event.WhichOneof("eventType")
        kind = event_kind(field)
        payload: Any = getattr(event, field) if field else None
        at = _utc(event.timestamp.ToDatetime())
        name = getattr(payload, "name", "") or None
        since: tuple[datetime, str | None] | None = None
        if kind == "timer_fired":
            since = begun.get(("timer", payload.timerId))
        elif hasattr(payload, "taskScheduledId"):
            since = begun.get(("task", payload.taskScheduledId))
        elif kind == "workflow_completed" and told:
            since = (told[0].at, None)
        if kind == "timer_created":
            begun["timer", event.eventId] = (at, name)
        elif kind in _RERUNNABLE:
            begun["task", event.eventId] = (at, name)
        told.append(
            HistoryEvent(
                event_id=event.eventId if event.eventId >= 0 else None,
                at=at,
                type=kind,
                name=name or (since[1] if since else None),
                duration_seconds=(at - since[0]).total_seconds() if since else None,
                input=_field(payload, "input"),
                output=_field(payload, "result"),
                error=_error(payload),
                is_rerunnable=kind in _RERUNNABLE,
            )
        )
    return told


def event_kind(field: str | None) -> str:
    """Return what an event of the engine's is called here."""
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
    """Replace escaped halves of characters, which JSON may hold and UTF-8 cannot."""
    if "\\ud" not in text.lower():
        return text
    whole = json.dumps(json.loads(text), ensure_ascii=False)
    return whole.encode("utf-8", "replace").decode()


def _utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
