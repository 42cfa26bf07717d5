"""Keeps the index of workflow instances complete: compares it with the engine again and again.

It finds what no worker of this service has observed: instances of earlier versions, those that
changed around a kill or while the database was down, and those that the engine purged by itself.
"""

import asyncio
import time
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Final

import structlog

from orderflow_contracts.fields import Clock, now
from orderflow_hosting.background import Backoff, Sleep, keep_repeating, retry_until_success
from orderflow_workflow_runtime.instances import Instance
from orderflow_workflow_runtime.ports import ManagedEngine
from orders.management.index import InstanceIndex
from orders.management.reading import Reader
from orders.management.records import Entry

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

PAUSE_SECONDS: Final = 30.0
REST: Final = 20
"""Listing all ids scans the engine's whole store: it pauses for this many times as long."""
BACKOFF: Final = Backoff(first=1.0, longest=60.0)
IDS_AT_ONCE: Final = 20_000
"""This many ids fit into a reply of 4 MiB."""
ENTRIES_AT_ONCE: Final = 500
READS_AT_ONCE: Final = 8
ACTIVE_AGE: Final = timedelta(minutes=1)
FINISHED_AGE: Final = timedelta(hours=1)
"""Entries that were confirmed longer ago are read again: finished ones may have been replaced."""
MOST_ACTIVE: Final = 200
MOST_FINISHED: Final = 50
"""How many old entries are read again in one round."""


class Sweep:
    """Compares the index with the engine. Every method may raise `EngineUnavailable`."""

    def __init__(
        self,
        engine: ManagedEngine,
        index: InstanceIndex,
        clock: Clock = now,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._engine = engine
        self._reader = Reader(engine)
        self._index = index
        self._store = index.store
        self._clock = clock
        self._sleep = sleep
        self._pause = PAUSE_SECONDS

    async def keep_sweeping(self) -> None:
        """Catch up with what changed before the start, and then sweep for ever."""
        delayed, pauses = "workflow_index_delayed", self._pauses()
        await retry_until_success(self.catch_up, delayed, backoff=BACKOFF, sleep=self._sleep)
        await keep_repeating(self.round, delayed, pauses=pauses, backoff=BACKOFF, sleep=self._sleep)

    async def round(self) -> None:
        """Add unknown instances, remove those that are gone, and read the oldest entries again."""
        began = time.monotonic()
        ids = await self._ids()
        self._pause = max(PAUSE_SECONDS, REST * (time.monotonic() - began))
        await self._index.flush()
        await self._add_unknown(ids)
        await self._remove_gone(ids)
        moment = self._clock()
        for is_finished, age, most in (
            (False, ACTIVE_AGE, MOST_ACTIVE),
            (True, FINISHED_AGE, MOST_FINISHED),
        ):
            old = await self._store.not_seen_since(moment - age, most, is_finished=is_finished)
            await self._refresh(old)

    async def catch_up(self) -> None:
        """Read all active instances again: how they ended may have been lost with a process."""
        last: str | None = None
        while some := await self._store.ids(ENTRIES_AT_ONCE, last, only_active=True):
            last = some[-1]
            await self._refresh(some)

    def _pauses(self) -> Iterator[float]:
        while True:
            yield self._pause

    async def _ids(self) -> set[str]:
        """Return all ids. For each page, the engine sorts and counts all of them again."""
        found: set[str] = set()
        token: str | None = None
        while True:
            ids, token = await self._engine.ids(IDS_AT_ONCE, token)
            found.update(ids)
            if token is None:
                return found

    async def _add_unknown(self, ids: set[str]) -> None:
        every = sorted(ids)
        for first in range(0, len(every), ENTRIES_AT_ONCE):
            unknown = await self._store.unknown(every[first : first + ENTRIES_AT_ONCE])
            await self._refresh(unknown)
            if unknown:
                log.info("workflows_added_to_index", count=len(unknown))

    async def _remove_gone(self, ids: set[str]) -> None:
        last: str | None = None
        while some := await self._store.ids(ENTRIES_AT_ONCE, last):
            last = some[-1]
            await self._refresh([instance_id for instance_id in some if instance_id not in ids])

    async def _refresh(self, ids: Sequence[str]) -> None:
        """Read instances and write their entries; then rest as long as that took."""
        for first in range(0, len(ids), ENTRIES_AT_ONCE):
            began, moment = time.monotonic(), self._clock()
            some = ids[first : first + ENTRIES_AT_ONCE]
            reads = await self._reader.read(some, payloads=False, at_once=READS_AT_ONCE)
            entries: list[Entry] = []
            unreadable: list[Entry] = []
            gone: dict[str, datetime] = {}
            for instance_id, read in zip(some, reads, strict=True):
                if isinstance(read, Instance):
                    entries.append(Entry.of(read, moment))
                elif read is None:
                    gone[instance_id] = moment
                else:
                    unreadable.append(Entry.unreadable(instance_id, moment))
            await self._store.write(entries, gone=gone, unreadable=unreadable)
            await self._sleep(time.monotonic() - began)
