"""Lists the workflow instances in the engine."""

import asyncio
from bisect import bisect_right
from collections.abc import AsyncIterator
from typing import Final

from orderflow_workflow_runtime.instances import Instance, RuntimeStatus
from orderflow_workflow_runtime.ports import ManagedEngine

READS_AT_ONCE: Final = 16
IDS_AT_ONCE: Final = 20_000
"""This many ids fit into a reply of 4 MiB."""


class Listing:
    """All instances, by id. Every method may raise `EngineUnavailable`."""

    def __init__(self, engine: ManagedEngine) -> None:
        self._engine = engine

    async def page(
        self,
        status: RuntimeStatus | None,
        name: str | None,
        limit: int,
        after: str | None,
        *,
        max_read: int | None = None,
        payloads: bool = True,
    ) -> tuple[list[Instance], str | None]:
        """Return up to `limit` matching instances by id, and the id after which to continue.

        `max_read` limits how many instances are read, because few of them may match.
        """
        found: list[Instance] = []
        read = 0
        async for instance_id, instance, is_last in self.all(after, payloads=payloads):
            read += 1
            if status in {None, instance.runtime_status} and name in {None, instance.name}:
                found.append(instance)
            if len(found) == limit or read == max_read:
                return found, None if is_last else instance_id
        return found, None

    async def all(
        self, after: str | None = None, *, payloads: bool = True
    ) -> AsyncIterator[tuple[str, Instance, bool]]:
        """Read all instances after an id, each with whether it is the last.

        The engine's page tokens are offsets into a list that shifts when instances come and go, and
        each page costs a scan of the whole store. So all ids are read first, in one page.
        """
        ids = await self._ids()
        start = bisect_right(ids, after) if after is not None else 0
        for first in range(start, len(ids), READS_AT_ONCE):
            some = ids[first : first + READS_AT_ONCE]
            read = await self._read(some, payloads=payloads)
            for instance_id, instance in zip(some, read, strict=True):
                if instance is not None:
                    yield instance_id, instance, instance_id == ids[-1]

    async def _ids(self) -> list[str]:
        found: set[str] = set()
        token: str | None = None
        while True:
            ids, token = await self._engine.ids(IDS_AT_ONCE, token)
            found.update(ids)
            if token is None:
                return sorted(found)

    async def _read(self, ids: list[str], *, payloads: bool) -> list[Instance | None]:
        return await asyncio.gather(
            *(self._engine.instance(instance_id, payloads=payloads) for instance_id in ids)
        )
