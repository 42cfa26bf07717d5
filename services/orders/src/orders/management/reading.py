"""Reads many instances from the engine, some of which may be damaged."""

import asyncio
from collections.abc import Sequence
from typing import Final

from orderflow_workflow_runtime.instances import Instance
from orderflow_workflow_runtime.ports import InstanceDamaged, ManagedEngine

READS_AT_ONCE: Final = 16

Read = Instance | InstanceDamaged | None
"""An instance, why it cannot be read, or None if there is none."""


class Reader:
    """Reads instances from the engine.

    A patient read of a damaged instance takes over a second, so that it is made only once.
    """

    def __init__(self, engine: ManagedEngine) -> None:
        self._engine = engine
        self._damaged: set[str] = set()

    async def read(
        self, ids: Sequence[str], *, payloads: bool, at_once: int = READS_AT_ONCE
    ) -> list[Read]:
        """Read instances. Raises `EngineUnavailable` if the engine does not respond."""
        gate = asyncio.Semaphore(at_once)

        async def read(instance_id: str) -> Read:
            async with gate:
                return await self._read(instance_id, payloads=payloads)

        return await asyncio.gather(*map(read, ids))

    async def _read(self, instance_id: str, *, payloads: bool) -> Read:
        is_known_as_damaged = instance_id in self._damaged
        try:
            read = await self._engine.instance(
                instance_id, payloads=payloads, patient=not is_known_as_damaged
            )
        except InstanceDamaged as error:
            self._damaged.add(instance_id)
            return error
        self._damaged.discard(instance_id)
        return read
