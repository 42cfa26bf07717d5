"""The service's own index of workflow instances, which lists are read from.

The worker observes how instances start and end. What it observed is written together, every half
second, and before a list is read. The sweep adds what no worker of this service has seen.
"""

import asyncio
import threading
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import repeat
from typing import Final

from orderflow_contracts.fields import Clock, now
from orderflow_hosting.background import Backoff, Sleep, keep_repeating
from orderflow_hosting.database import Database
from orderflow_workflow_runtime.instances import RuntimeStatus
from orders.management.records import Change, Entry, is_storable, storable_name
from orders.management.store import InstanceStore

FLUSH_SECONDS: Final = 0.5
BACKOFF: Final = Backoff(first=0.5, longest=5.0)
AHEAD: Final = timedelta(seconds=2)
"""The engine may store what was observed this much later. A read until then does not replace it."""


@dataclass(frozen=True, slots=True)
class _Observed:
    """What was observed of an instance last; with its name and start, if that was observed."""

    status: RuntimeStatus
    at: datetime
    name: str | None = None
    created_at: datetime | None = None


class InstanceIndex:
    """The index, and what was observed but is not yet written; an `Observer` for the worker."""

    def __init__(self, database: Database, clock: Clock = now) -> None:
        self.store = InstanceStore(database, clock)
        self._clock = clock
        self._lock = threading.Lock()
        self._observed: dict[str, _Observed] = {}

    def started(self, instance_id: str, name: str, at: datetime) -> None:
        """Record that an instance has started."""
        self._observe(instance_id, _Observed(RuntimeStatus.RUNNING, at, name, at))

    def became(self, instance_id: str, status: RuntimeStatus, at: datetime) -> None:
        """Record the new status of an instance."""
        self._observe(instance_id, _Observed(status, at))

    async def flush(self) -> None:
        """Write what was observed."""
        with self._lock:
            observed, self._observed = self._observed, {}
        try:
            await self.store.write(_entries(observed), _changes(observed))
        except BaseException:
            with self._lock:
                later, self._observed = self._observed, observed
                for instance_id, each in later.items():
                    self._merge(instance_id, each)
            raise

    async def forget(self, instance_id: str) -> None:
        """Remove an instance that was purged."""
        await self.flush()
        await self.store.write(gone={instance_id: self._clock() + AHEAD})

    def _observe(self, instance_id: str, observed: _Observed) -> None:
        if is_storable(instance_id):
            with self._lock:
                self._merge(instance_id, observed)

    def _merge(self, instance_id: str, observed: _Observed) -> None:
        """Combine an observation with an earlier or a later one of the same instance."""
        known = self._observed.get(instance_id)
        if known is not None:
            first, last = sorted((known, observed), key=lambda each: each.at)
            if last.name is None:
                last = replace(last, name=first.name, created_at=first.created_at)
            observed = last
        self._observed[instance_id] = observed


def _entries(observed: dict[str, _Observed]) -> Iterable[Entry]:
    for instance_id, each in observed.items():
        if each.name is not None and each.created_at is not None:
            yield Entry(
                instance_id=instance_id,
                name=storable_name(each.name),
                status=each.status,
                created_at=each.created_at,
                last_updated_at=each.at,
                seen_at=each.at + AHEAD,
            )


def _changes(observed: dict[str, _Observed]) -> Iterable[Change]:
    for instance_id, each in observed.items():
        if each.name is None:
            yield Change(
                instance_id=instance_id,
                status=each.status,
                last_updated_at=each.at,
                seen_at=each.at + AHEAD,
            )


async def keep_writing(index: InstanceIndex, sleep: Sleep = asyncio.sleep) -> None:
    """Write what was observed, every half second."""
    pauses = repeat(FLUSH_SECONDS)
    await keep_repeating(
        index.flush, "workflow_index_delayed", pauses=pauses, backoff=BACKOFF, sleep=sleep
    )
