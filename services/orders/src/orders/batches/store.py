"""The tables of batches: their entries, the orders that they run, and their ends."""

from collections.abc import Sequence

from sqlalchemy import Connection, and_, select, update

from orderflow_contracts.batches import Batch, BatchStatus, BatchStatusChanged, BatchSummary
from orderflow_contracts.fields import Clock, now
from orderflow_contracts.orders import Reason
from orderflow_hosting.database import Database
from orders.batches.changes import (
    conclude_within,
    promise_accepted_by_earlier_version,
    row_of,
    unfinished_orders,
)
from orders.batches.records import Entry, OpenBatch, OpenOrder, StoredBatch, digest_of
from orders.batches.saving import save_within
from orders.batches.summary import ENTRIES, batched_order, counted, facts, summary
from orders.tables import BATCH_ORDERS, BATCHES


class BatchStore:
    """The tables of batches. Every method is one transaction and is idempotent."""

    def __init__(self, database: Database, clock: Clock = now) -> None:
        self._database = database
        self._clock = clock

    async def save(self, batch_id: str, entries: Sequence[Entry]) -> StoredBatch:
        """Store a batch with its entries, and accept the orders that are new.

        Raises `OtherBatchContent` if its id is known with different content.
        """
        digest = digest_of(entries)
        return await self._database.write(
            lambda connection: save_within(connection, batch_id, digest, entries, self._clock())
        )

    async def open(self, batch_id: str) -> tuple[bool, list[OpenOrder]]:
        """Mark the batch as running; return whether it was already, and its unfinished orders."""

        def work(connection: Connection) -> tuple[bool, list[OpenOrder]]:
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
            promise_accepted_by_earlier_version(connection, batch_id)
            return not was_received, unfinished_orders(connection, batch_id)

        return await self._database.write(work)

    async def left_to_end(self, batch_id: str) -> list[OpenOrder]:
        """Return the unfinished orders that the batch runs."""
        return await self._database.read(lambda connection: unfinished_orders(connection, batch_id))

    async def conclude(self, batch_id: str) -> BatchStatusChanged | None:
        """Record the batch's end once all its orders have ended; return None before that.

        A stopped batch waits only for the orders that it runs itself.
        """
        return await self._database.write(
            lambda connection: conclude_within(connection, batch_id, self._clock())
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
        row = await self._database.read(lambda connection: row_of(connection, batch_id))
        return None if row is None else row.reason

    async def unfinished(self) -> list[OpenBatch]:
        """Return the unfinished batches, oldest first."""
        query = select(BATCHES).where(BATCHES.c.ended_at.is_(None)).order_by(BATCHES.c.number)
        rows = await self._database.read(lambda connection: connection.execute(query).all())
        return [OpenBatch(row.batch_id, BatchStatus(row.status), row.reason) for row in rows]

    async def batch(self, batch_id: str) -> Batch | None:
        """Return a batch with its orders."""

        def work(connection: Connection) -> Batch | None:
            row = row_of(connection, batch_id)
            if row is None:
                return None
            entries = connection.execute(
                ENTRIES.where(BATCH_ORDERS.c.batch_id == batch_id).order_by(BATCH_ORDERS.c.number)
            ).all()
            orders = tuple(map(batched_order, entries))
            return Batch(**facts(row, orders).model_dump(), orders=orders)

        return await self._database.read(work)

    async def batches(self, limit: int, before: int | None) -> list[tuple[int, BatchSummary]]:
        """Return batches without their orders, newest first, each with its number."""
        query = select(BATCHES).order_by(BATCHES.c.number.desc()).limit(limit)
        if before is not None:
            query = query.where(BATCHES.c.number < before)

        def work(connection: Connection) -> list[tuple[int, BatchSummary]]:
            rows = connection.execute(query).all()
            sums = counted(connection, [row.batch_id for row in rows])
            return [(row.number, summary(row, sums.get(row.batch_id, []))) for row in rows]

        return await self._database.read(work)
