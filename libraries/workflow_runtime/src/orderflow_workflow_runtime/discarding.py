"""Deletes instances from the engine, in whatever state they are."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Final

import structlog
from dapr.ext.workflow._durabletask.internal import protos
from dapr.proto import api_service_v1, api_v1

from orderflow_contracts.names import WORKFLOW_ENTRIES
from orderflow_workflow_runtime.ports import EngineUnavailable, InstanceDamaged, NoSuchInstance
from orderflow_workflow_runtime.upstream import unloadable

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

WORKFLOW_ACTORS: Final = ".workflow"
ATTEMPTS: Final = 5
"""It takes four to delete an instance that cannot be loaded, and the placeholder after it."""
GONE_SECONDS: Final = 0.1
"""The engine drops its copy of an instance in the background."""

Call = Callable[[Awaitable[Any]], Awaitable[Any]]
Read = Callable[[Callable[[], Awaitable[Any]]], Awaitable[Any]]


class Discarding:
    """Deletes instances.

    `call` makes a call within a time and maps its errors; `read` repeats one that reads.
    """

    def __init__(self, channel: Any, engine: Any, call: Call, read: Read) -> None:
        stub: Any = api_service_v1.DaprStub
        self._api = stub(channel)
        self._engine = engine
        self._call = call
        self._read = read

    async def discard(self, instance_id: str, *, with_children: bool) -> None:
        """Delete an instance until it is gone; a turn in progress may write it once more."""
        for _ in range(ATTEMPTS):
            try:
                exists = await self._exists(instance_id)
                await self._drop_copy(instance_id)
                if not exists:
                    return
                await self._purge(instance_id, force=True, with_children=with_children)
            except NoSuchInstance:
                with_children = False  # it has not begun, and so has no children
            except InstanceDamaged as error:
                await self._delete_entry(instance_id, error)
                await self._drop_copy(instance_id)
                await self._put_placeholder(instance_id)
        raise EngineUnavailable(f"{instance_id} could not be deleted")

    async def _drop_copy(self, instance_id: str) -> None:
        """Let the engine forget what it has in memory; the purge itself may fail."""
        with suppress(EngineUnavailable, NoSuchInstance):
            await self._purge(instance_id, force=False)
        await asyncio.sleep(GONE_SECONDS)

    async def _exists(self, instance_id: str) -> bool:
        request = protos.GetInstanceRequest(instanceId=instance_id, getInputsAndOutputs=False)
        reply = await self._read(lambda: self._engine.GetInstance(request))
        return bool(reply.exists)

    async def _purge(self, instance_id: str, *, force: bool, with_children: bool = False) -> None:
        request = unloadable.purge_request(instance_id, force=force, with_children=with_children)
        await self._call(self._engine.PurgeInstances(request))

    async def _put_placeholder(self, instance_id: str) -> None:
        """Create an instance that is purged before it starts, and the former's reminders with it.

        Otherwise these would fire in the next instance under this id.
        """
        await self._call(self._engine.StartInstance(unloadable.placeholder(instance_id)))

    async def _delete_entry(self, instance_id: str, error: InstanceDamaged) -> None:
        """Delete the entry that names all others. Raises `InstanceDamaged` if no binding can."""
        sidecar = await self._call(self._api.GetMetadata(api_v1.GetMetadataRequest()))
        bindings = [c.type for c in sidecar.registered_components if c.name == WORKFLOW_ENTRIES]
        actors = [each.type for each in sidecar.actor_runtime.active_actors]
        workflows = [kind for kind in actors if kind.endswith(WORKFLOW_ACTORS)]
        if not (bindings and workflows):
            raise error
        key = unloadable.metadata_key(sidecar.id, workflows[0], instance_id)
        deletion = unloadable.deletion(bindings[0], key)
        if deletion is None:
            raise error
        operation, metadata = deletion
        request = api_v1.InvokeBindingRequest(
            name=WORKFLOW_ENTRIES, operation=operation, metadata=metadata
        )
        await self._call(self._api.InvokeBinding(request))
        log.warning("unreadable_instance_deleted", instance_id=instance_id, why=str(error))
