"""The adapter of Dapr's workflow engine: the client with which a service starts workflows."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, TypeVar

import grpc
import grpc.aio
from dapr.ext.workflow import UNSET
from dapr.ext.workflow.aio import DaprWorkflowClient
from pydantic import BaseModel

from orderflow_contracts.fields import Clock, now
from orderflow_hosting.settings import ServiceSettings
from orderflow_hosting.sidecar import RECONNECTING
from orderflow_workflow_runtime.discarding import Discarding
from orderflow_workflow_runtime.histories import Recording
from orderflow_workflow_runtime.instances import HistoryEvent, Instance
from orderflow_workflow_runtime.ports import (
    AlreadyRunning,
    CannotRerun,
    EngineUnavailable,
    InstanceDamaged,
    NoSuchInstance,
)
from orderflow_workflow_runtime.reading import read_history, read_instance
from orderflow_workflow_runtime.upstream import error_texts, false_payloads, history_payloads
from orderflow_workflow_runtime.upstream.half_written_reads import PAUSES_SECONDS
from orderflow_workflow_runtime.upstream.unloadable import is_unloadable
from orderflow_workflow_runtime.upstream.versions import SDK_VERSION

T = TypeVar("T")

TIMEOUT_SECONDS: Final = 10.0


class DaprEngine:
    """The engine in the sidecar, for the workflows of this application: a `ManagedEngine`."""

    def __init__(self, settings: ServiceSettings, clock: Clock = now) -> None:
        self._clock = clock
        self._client = DaprWorkflowClient(settings.sidecar_host, str(settings.dapr_grpc_port))
        sdk = vars(self._client)["_DaprWorkflowClient__obj"]  # the SDK has no setting for this
        sdk._channel_options = [*(sdk._channel_options or ()), *RECONNECTING]  # noqa: SLF001
        self._channel = grpc.aio.insecure_channel(settings.sidecar_grpc, options=RECONNECTING)
        self._stub = history_payloads.engine_stub(self._channel)
        self._discarding = Discarding(self._channel, self._stub, _call, _read)

    async def start(self, workflow: str, instance_id: str, payload: Any) -> None:
        """Schedule a new instance; it replaces a finished one with the same id."""
        await _call(
            self._client.schedule_new_workflow(
                workflow, instance_id=instance_id, input=_json(payload)
            )
        )

    async def instance(
        self, instance_id: str, *, payloads: bool = True, patient: bool = True
    ) -> Instance | None:
        """Read an instance; None when there is none."""
        state = await _read(
            lambda: self._client.get_workflow_state(instance_id, fetch_payloads=payloads),
            pauses=PAUSES_SECONDS if patient else (),
        )
        return read_instance(state) if state is not None else None

    async def raise_event(self, instance_id: str, event: str, payload: Any) -> None:
        """Raise an external event with any JSON value; None is no payload."""
        request = false_payloads.event_request(instance_id, event, _json(payload))
        await _call(self._stub.RaiseEvent(request))

    async def pause(self, instance_id: str) -> None:
        """Suspend an instance."""
        await _call(self._client.pause_workflow(instance_id))

    async def resume(self, instance_id: str) -> None:
        """Resume a suspended instance."""
        await _call(self._client.resume_workflow(instance_id))

    async def terminate(self, instance_id: str, output: Any = None) -> None:
        """End an instance and its children; a running activity is not interrupted."""
        request = false_payloads.termination_request(instance_id, output)
        await _call(self._stub.TerminateInstance(request))

    async def purge(self, instance_id: str) -> None:
        """Delete a finished instance and its children from the engine's store."""
        await _call(self._client.purge_workflow(instance_id))

    async def rerun(
        self, instance_id: str, event_id: int, new_instance_id: str | None, payload: Any = UNSET
    ) -> str:
        """Run a finished instance again from an event on, as a new instance; return its id."""
        try:
            return await _call(
                self._client.rerun_workflow_from_event(
                    instance_id, event_id, new_instance_id=new_instance_id, input=payload
                )
            )
        except (ValueError, NoSuchInstance) as error:  # the engine has no such event
            raise CannotRerun(str(error)) from error

    async def finished(self, instance_id: str, within: float) -> Instance | None:
        """Wait until an instance has finished; an unknown one may still be started.

        Raises `TimeoutError` if that takes longer than so many seconds.
        """
        async with asyncio.timeout(within):
            state = await _read(
                lambda: self._client.wait_for_workflow_completion(instance_id), _map_errors
            )
        return read_instance(state) if state is not None else None

    async def ids(self, limit: int, token: str | None) -> tuple[list[str], str | None]:
        """List up to `limit` instance ids in the store's order, and the token for the next page."""
        page = await _call(
            self._client.list_workflow_instance_ids(page_size=limit, continuation_token=token)
        )
        return page.instance_ids, page.continuation_token or None

    async def history(self, instance_id: str) -> list[HistoryEvent]:
        """Read the events of an instance, oldest first."""
        return read_history(await self._events(instance_id))

    async def recording(self, instance_id: str) -> Recording:
        """Read the whole history of an instance, with everything that its events contain."""
        events = await self._events(instance_id)
        return Recording.of(instance_id, events, {"sdk": SDK_VERSION}, self._clock())

    async def discard(self, instance_id: str, *, with_children: bool) -> None:
        """Delete an instance from the engine, finished or not, so that its id is free."""
        await self._discarding.discard(instance_id, with_children=with_children)

    async def close(self) -> None:
        """Close the connection."""
        await self._channel.close()

    async def _events(self, instance_id: str) -> list[Any]:
        request = history_payloads.history_request(instance_id)
        return list((await _read(lambda: self._stub.GetInstanceHistory(request))).events)


def _json(payload: Any) -> Any:
    return payload.model_dump(mode="json") if isinstance(payload, BaseModel) else payload


async def _map_errors(call: Awaitable[T]) -> T:
    """Make a call; convert gRPC's errors to those of the ports."""
    try:
        return await call
    except grpc.aio.AioRpcError as error:
        details = error_texts.details_of(error)
        if error_texts.is_unknown_instance(error):
            raise NoSuchInstance(details) from error
        if error_texts.is_id_in_use(error):
            raise AlreadyRunning(details) from error
        if error.code() is grpc.StatusCode.INVALID_ARGUMENT:
            raise CannotRerun(details) from error
        if is_unloadable(error):
            raise InstanceDamaged(details) from error
        raise EngineUnavailable(details) from error


async def _call(call: Awaitable[T]) -> T:
    """Make a call, which may take `TIMEOUT_SECONDS`."""
    limit = asyncio.timeout(TIMEOUT_SECONDS)
    try:
        async with limit:
            return await _map_errors(call)
    except TimeoutError as error:
        if not limit.expired():
            raise
        why = f"the engine has not answered within {TIMEOUT_SECONDS:g} s"
        raise EngineUnavailable(why) from error


async def _read(
    call: Callable[[], Awaitable[T]],
    make: Callable[[Awaitable[T]], Awaitable[T]] = _call,
    *,
    pauses: Sequence[float] = PAUSES_SECONDS,
) -> T:
    """Make a call that reads; repeat it if the engine was writing the instance meanwhile."""
    for pause in pauses:
        try:
            return await make(call())
        except InstanceDamaged:
            await asyncio.sleep(pause)
    return await make(call())
