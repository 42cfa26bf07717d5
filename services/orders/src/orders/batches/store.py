"""The tables of batches: their entries, the orders that they run, and their ends."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, and_, insert, select, update

from orderflow_contracts.batches import Batch, BatchStatus, BatchStatusChanged
from orderflow_contracts.fields import Clock, now
from orderflow_contracts.orders import OrderSubmitted, Reason
from orderflow_hosting.database import Database
from orders.batches.summary import ENTRIES, batched_order, counted, facts, summary
from orders.ordering.changes import accept_within, reject_within
from orders.ordering.records import UNFINISHED, OtherContent, StoredChange
from orders.tables import BATCH_ORDERS, BATCHES, ORDERS

OTHER_CONTENT: Final = "other_content"
NO_VALID_ORDER: Final = "no_valid_order"


class OtherBatchContent(Exception):
    """The id belongs to a batch with different content. The two are never merged."""

    def __init__(self, batch_id: str) -> None:
        super().__init__(f"batch {batch_id} exists with other content")


@dataclass(frozen=True)
class Entry:
    """One entry of a batch: its number from 1, the data sent, and the order or the error in it."""

    number: int
    data: Any
    order_id: str | None
    order: OrderSubmitted | None = None
    fault: str = ""
    refused: str | None = None


@dataclass(frozen=True)
class StoredBatch:
    """The result of storing a batch: its refused entries and its orders' first statuses."""

    is_new: bool
    status: BatchStatus
    is_stopped: bool
    refused: Sequence[Entry] = ()
    first: Sequence[StoredChange] = field(default=())


@dataclass(frozen=True)
class OpenBatch:
    """An unfinished batch; `stopped_as` is the reason if it was stopped."""

    batch_id: str
    status: BatchStatus
    stopped_as: str | None


class BatchStore:
    """The tables of batches. Every method is one transaction and is idempotent."""

    def __init__(self, database: Database, clock: Clock = now) -> None:
        self._database = database
        self._clock = clock

    async def save(self, batch_id: str, entries: Sequence[Entry]) -> StoredBatch:
        """Store a batch with its entries, and accept the orders that are new.

        Raises `OtherBatchContent` when its id is known with other content.
        """
        digest = _digest(entries)
        return await self._database.write(
            lambda connection: _save(connection, batch_id, digest, entries, self._clock())
        )

    async def open(self, batch_id: str) -> tuple[bool, list[str]]:
        """Mark the batch as running; return whether it was already, and its unfinished orders."""

        def work(connection: Connection) -> tuple[bool, list[str]]:
            was_received = (
                connection.execute(
                    update(BATCHES)
                    .where(
                        BATCHES.c.batch_id == batch_id,
                        BATCHES.c.status == BatchStatus.RECEIVED,
                    )
                    .values(status=BatchStatus.RUNNING.value)
                ).rowcount
                > 0
            )
            return not was_received, _owned_unfinished(connection, batch_id)

        return await self._database.write(work)

    async def left_to_end(self, batch_id: str) -> list[str]:
        """Return the unfinished orders that the batch runs."""
        return await self._database.read(lambda connection: _owned_unfinished(connection, batch_id))

    async def conclude(self, batch_id: str) -> BatchStatusChanged | None:
        """Record the batch's end once all its orders have ended; return None before that.

        A stopped batch waits only for the orders that it runs itself.
        """
        return await self._database.write(
            lambda connection: _conclude(connection, batch_id, self._clock())
        )

    async def stop(self, batch_id: str, reason: Reason) -> bool:
        """Record that the batch is stopped; return False if it is unknown or has ended."""

        def work(connection: Connection) -> bool:
            open_one = and_(BATCHES.c.batch_id == batch_id, BATCHES.c.ended_at.is_(None))
            connection.execute(
                update(BATCHES)
                .where(open_one, BATCHES.c.reason.is_(None))
                .values(reason=reason.value)
            )
            return connection.scalar(select(BATCHES.c.number).where(open_one)) is not None

        return await self._database.write(work)

    async def stopped_as(self, batch_id: str) -> str | None:
        """Return the reason why a batch is stopped, or None."""
        row = await self._database.read(lambda connection: _row(connection, batch_id))
        return None if row is None else row.reason

    async def unfinished(self) -> list[OpenBatch]:
        """Return the unfinished batches, oldest first."""
        query = select(BATCHES).where(BATCHES.c.ended_at.is_(None)).order_by(BATCHES.c.number)
        rows = await self._database.read(lambda connection: connection.execute(query).all())
        return [OpenBatch(row.batch_id, BatchStatus(row.status), row.reason) for row in rows]

    async def batch(self, batch_id: str) -> Batch | None:
        """Return a batch with its orders."""

        def work(connection: Connection) -> Batch | None:
            row = _row(connection, batch_id)
            if row is None:
                return None
            entries = connection.execute(
                ENTRIES.where(BATCH_ORDERS.c.batch_id == batch_id).order_by(BATCH_ORDERS.c.number)
            ).all()
            orders = tuple(map(batched_order, entries))
            return Batch(**facts(row, orders).model_dump(), orders=orders)

        return await self._database.read(work)

    async def batches(self, limit: int, before: int | None) -> list[tuple[int, BatchStatusChanged]]:
        """Return batches without their orders, newest first, each with its number."""
        query = select(BATCHES).order_by(BATCHES.c.number.desc()).limit(limit)
        if before is not None:
            query = query.where(BATCHES.c.number < before)

        def work(connection: Connection) -> list[tuple[int, BatchStatusChanged]]:
            rows = connection.execute(query).all()
            sums = counted(connection, [row.batch_id for row in rows])
            return [(row.number, summary(row, sums.get(row.batch_id, []))) for row in rows]

        return await self._database.read(work)


def _save(
    connection: Connection, batch_id: str, digest: str, entries: Sequence[Entry], at: datetime
) -> StoredBatch:
    known = _row(connection, batch_id)
    if known is not None and known.digest != digest:
        raise OtherBatchContent(batch_id)
    if known is not None:
        return StoredBatch(
            is_new=False,
            status=BatchStatus(known.status),
            is_stopped=known.reason is not None,
            refused=_refused_again(connection, batch_id, entries),
        )
    connection.execute(
        insert(BATCHES).values(
            batch_id=batch_id,
            digest=digest,
            status=BatchStatus.RECEIVED.value,
            created_at=at,
        )
    )
    refused: list[Entry] = []
    first: list[StoredChange] = []
    taken: dict[str, OrderSubmitted] = {}
    rows = []
    for entry in entries:
        earlier = taken.get(entry.order_id or "")
        if earlier and entry.order and entry.order.same_content_as(earlier):
            continue
        why, stored = _take(connection, entry, at)
        if stored is not None:
            first.append(stored)
        if why is not None:
            refused.append(replace(entry, refused=why))
        elif entry.order is not None:
            taken[entry.order.order_id] = entry.order
        rows.append(
            {
                "batch_id": batch_id,
                "number": entry.number,
                "order_id": entry.order_id,
                "refused": why,
                "is_owner": why is None and stored is not None,
            }
        )
    connection.execute(insert(BATCH_ORDERS), rows)
    return StoredBatch(
        is_new=True,
        status=BatchStatus.RECEIVED,
        is_stopped=False,
        refused=refused,
        first=first,
    )


def _take(
    connection: Connection, entry: Entry, at: datetime
) -> tuple[str | None, StoredChange | None]:
    """Store an entry; return the reason if it is refused, and its first status if it is new."""
    if entry.order is None:
        rejected = reject_within(connection, entry.order_id, at) if entry.order_id else None
        return Reason.INVALID.value, rejected
    try:
        accepted = accept_within(connection, entry.order, at)
    except OtherContent:
        return OTHER_CONTENT, None
    return None, accepted.first if accepted.is_new else None


def _refused_again(connection: Connection, batch_id: str, entries: Sequence[Entry]) -> list[Entry]:
    query = select(BATCH_ORDERS.c.number, BATCH_ORDERS.c.refused).where(
        BATCH_ORDERS.c.batch_id == batch_id, BATCH_ORDERS.c.refused.is_not(None)
    )
    refused = {row.number: row.refused for row in connection.execute(query)}
    return [
        replace(entry, refused=refused[entry.number])
        for entry in entries
        if entry.number in refused
    ]


def _conclude(connection: Connection, batch_id: str, at: datetime) -> BatchStatusChanged | None:
    row = _row(connection, batch_id)
    if row is None:
        return None
    sums = counted(connection, [batch_id]).get(batch_id, [])
    if row.ended_at is not None:
        return summary(row, sums)
    is_stopped = row.reason is not None
    if is_stopped and _owned_unfinished(connection, batch_id):
        return None
    if not is_stopped and any(part.status in UNFINISHED for part in sums):
        return None
    is_empty = all(part.is_refused for part in sums)
    status = BatchStatus.REJECTED if is_empty else BatchStatus.COMPLETED
    reason = NO_VALID_ORDER if is_empty else row.reason
    connection.execute(
        update(BATCHES)
        .where(BATCHES.c.batch_id == batch_id)
        .values(status=status.value, reason=reason, ended_at=at)
    )
    ended = _row(connection, batch_id)
    return None if ended is None else summary(ended, sums)


def _owned_unfinished(connection: Connection, batch_id: str) -> list[str]:
    query = (
        select(BATCH_ORDERS.c.order_id)
        .join(ORDERS, ORDERS.c.order_id == BATCH_ORDERS.c.order_id)
        .where(
            BATCH_ORDERS.c.batch_id == batch_id,
            BATCH_ORDERS.c.is_owner,
            ORDERS.c.status.in_(UNFINISHED),
        )
        .order_by(BATCH_ORDERS.c.number)
    )
    return [str(row.order_id) for row in connection.execute(query)]


def _row(connection: Connection, batch_id: str) -> Any | None:
    return connection.execute(select(BATCHES).where(BATCHES.c.batch_id == batch_id)).one_or_none()


def _digest(entries: Iterable[Entry]) -> str:
    """Return a digest of what was sent, so that the same batch is recognised.

    Defaults are left out: a field that a later version adds does not change the digest.
    """
    content = [
        entry.data
        if entry.order is None
        else entry.order.model_dump(mode="json", exclude_defaults=True)
        for entry in entries
    ]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
