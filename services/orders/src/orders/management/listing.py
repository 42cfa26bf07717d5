"""Lists workflow instances: a page comes from the index, and its instances from the engine.

The engine can only list all ids of its whole store, without names or statuses.
"""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Final

from orderflow_contracts.fields import Clock, now
from orderflow_workflow_runtime.instances import Failure, Instance
from orderflow_workflow_runtime.ports import InstanceDamaged, ManagedEngine
from orders.management.index import InstanceIndex
from orders.management.paging import position_of
from orders.management.reading import Reader
from orders.management.records import Entry, InstanceFilter

IDS_AT_ONCE: Final = 500
DAMAGED: Final = (
    "The engine cannot read this instance, because its stored history is damaged. Name and status "
    "are those last known. “A damaged history” in “Manage workflows” says what to do."
)


class Listing:
    """All instances. Every method may raise `EngineUnavailable`."""

    def __init__(self, engine: ManagedEngine, index: InstanceIndex, clock: Clock = now) -> None:
        self._reader = Reader(engine)
        self._index = index
        self._clock = clock

    async def page(
        self,
        wanted: InstanceFilter,
        limit: int,
        after: str | None = None,
        *,
        payloads: bool = True,
    ) -> tuple[list[Instance], str | None]:
        """Return up to `limit` matching instances, and the position after which to continue.

        Without times they are sorted by id, otherwise by creation. A page has fewer instances if
        the index was out of date. Raises `UnknownPosition` for a position of another list.
        """
        await self._index.flush()
        entries = await self._index.store.page(wanted, limit + 1, after)
        more = position_of(wanted, entries[limit - 1]) if len(entries) > limit else None
        listed = await self._current(entries[:limit], payloads=payloads)
        return [instance for instance in listed if wanted.matches(instance)], more

    async def finished_before(self, before: datetime) -> AsyncIterator[Instance]:
        """Find all instances that finished before a time, except those that are damaged."""
        await self._index.flush()
        last: str | None = None
        while entries := await self._index.store.finished_before(before, IDS_AT_ONCE, last):
            last = entries[-1].instance_id
            for instance in await self._current(entries, payloads=False):
                is_due = instance.runtime_status.is_finished and instance.last_updated_at < before
                if is_due and not _is_damaged(instance):
                    yield instance

    async def _current(self, entries: Sequence[Entry], *, payloads: bool) -> list[Instance]:
        """Read the instances of these entries, and correct the entries that have changed."""
        moment = self._clock()
        ids = [entry.instance_id for entry in entries]
        current: list[Instance] = []
        corrections: list[Entry] = []
        gone: dict[str, datetime] = {}
        reads = await self._reader.read(ids, payloads=payloads)
        for entry, read in zip(entries, reads, strict=True):
            if read is None:
                gone[entry.instance_id] = moment
            elif isinstance(read, InstanceDamaged):
                current.append(_damaged(entry))
            else:
                current.append(read)
                if entry.differs(read):
                    corrections.append(Entry.of(read, moment))
        await self._index.store.write(corrections, gone=gone)
        return current


def _damaged(entry: Entry) -> Instance:
    """Return what the index knows of a damaged instance."""
    return Instance(
        instance_id=entry.instance_id,
        name=entry.name,
        runtime_status=entry.status,
        created_at=entry.created_at,
        last_updated_at=entry.last_updated_at,
        failure=Failure(code=InstanceDamaged.code, type=InstanceDamaged.__name__, message=DAMAGED),
    )


def _is_damaged(instance: Instance) -> bool:
    return instance.failure is not None and instance.failure.code == InstanceDamaged.code
