"""Deletes instances from the engine, in whatever state they are."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Final

import structlog
from dapr.proto import api_service_v1, api_v1

from orderflow_contracts.names import WORKFLOW_ENTRIES
from orderflow_workflow_runtime.ports import EngineUnavailable, NoSuchInstance, Unreadable
from orderflow_workflow_runtime.upstream import unloadable

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

WORKFLOW_ACTORS: Final = ".workflow"
GONE_SECONDS: Final = 0.1
"""The engine drops its copy of an instance in the background."""

Call = Callable[[Awaitable[Any]], Awaitable[Any]]


class Discarding:
    """Deletes instances, with a function that makes a call within a time and maps its errors."""

    def __init__(self, channel: Any, engine: Any, call: Call) -> None:
        stub: Any = api_service_v1.DaprStub
        self._api = stub(channel)
        self._engine = engine
        self._call = call

    async def discard(self, instance_id: str, *, with_children: bool) -> None:
        """Delete an instance; one that cannot be loaded is deleted in the store."""
        try:
            await self._purge(instance_id, force=True, with_children=with_children)
        except NoSuchInstance:
            pass
        except Unreadable as error:
            await self._delete_entry(instance_id, error)
        with suppress(EngineUnavailable, NoSuchInstance):  # it fails, but drops the engine's copy
            await self._purge(instance_id, force=False)
        await asyncio.sleep(GONE_SECONDS)

    async def _purge(self, instance_id: str, *, force: bool, with_children: bool = False) -> None:
        request = unloadable.purge_request(instance_id, force=force, with_children=with_children)
        await self._call(self._engine.PurgeInstances(request))

    async def _delete_entry(self, instance_id: str, error: Unreadable) -> None:
        """Delete the entry that names all others. Raises `Unreadable` if no binding can."""
        sidecar = await self._call(self._api.GetMetadata(api_v1.GetMetadataRequest()))
        bindings = [
            each.type for each in sidecar.registered_components if each.name == WORKFLOW_ENTRIES
        ]
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
