"""What the doctor reads from the tables: a page at a time, and orders by their ids."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Row, exists, func, or_, select

from orderflow_contracts.fields import Clock, now
from orderflow_contracts.orders import OrderStatus
from orderflow_hosting.database import Database
from orderflow_hosting.outbox import Message, add_within
from orderflow_hosting.outbox.table import OUTBOX
from orders.ordering.records import UNFINISHED, Compensation, Pending
from orders.ordering.rows import IS_OUTSTANDING, is_entry_of_open_batch, pending
from orders.tables import BATCH_ORDERS, BATCHES, IS_TO_BE_COMPENSATED, ORDERS, STARTED_INSTANCES

AT_ONCE = 500
"""How many ids a query names."""


@dataclass(frozen=True)
class Known:
    """What is on record of an order."""

    order_id: str
    number: int
    status: OrderStatus
    sequence: int
    run_id: str | None
    total_cents: int | None
    compensation: str | None
    updated_at: datetime

    @property
    def evidence(self) -> str:
        """The same as long as the order stands still."""
        return f"{self.status} {self.sequence} {self.run_id} {self.compensation}"

    @property
    def is_unfinished(self) -> bool:
        """Whether it has not ended, or not been compensated."""
        return not self.status.is_final or self.compensation == Compensation.OUTSTANDING

    @property
    def is_settled(self) -> bool:
        """Whether it has ended and nothing of it is still to be rolled back."""
        return (
            self.status.is_final
            and self.status is not OrderStatus.NEEDS_ATTENTION
            and self.compensation is None
        )


@dataclass(frozen=True)
class Unfinished:
    """An order that has not ended, or not compensated; and the batch that runs it, if any."""

    known: Known
    pending: Pending
    batch_id: str | None


@dataclass(frozen=True)
class OpenBatch:
    """A batch that has not ended: whether it is stopped, and when an order of it last changed."""

    batch_id: str
    number: int
    is_stopped: bool
    unfinished: int
    changed_at: datetime


class DoctorStore:
    """Set queries over the tables of orders; only `promise` writes."""

    def __init__(self, database: Database, clock: Clock = now) -> None:
        self._database = database
        self.clock = clock

    async def unfinished(
        self, after: int, limit: int, *, status: OrderStatus | None = None, only: str | None = None
    ) -> list[Unfinished]:
        """Return unfinished orders by number, all or in a status, or a certain one."""
        wanted = _IS_UNFINISHED if status is None else ORDERS.c.status == status.value
        query = (
            select(ORDERS, _BATCH_ID.label("batch_id"))
            .where(wanted, ORDERS.c.number > after)
            .order_by(ORDERS.c.number)
            .limit(limit)
        )
        if only is not None:
            query = query.where(ORDERS.c.order_id == only)
        rows = await self._database.read(lambda connection: connection.execute(query).all())
        return [Unfinished(_known(row), pending(row), row.batch_id) for row in rows]

    async def known(self, order_ids: Collection[str]) -> dict[str, Known]:
        """Return the orders with these ids, by id."""
        columns = [ORDERS.c[name] for name in Known.__dataclass_fields__]

        def work(connection: Connection) -> dict[str, Known]:
            found = {}
            ids = list(order_ids)
            for start in range(0, len(ids), AT_ONCE):
                some = ORDERS.c.order_id.in_(ids[start : start + AT_ONCE])
                for row in connection.execute(select(*columns).where(some)):
                    found[row.order_id] = _known(row)
            return found

        return await self._database.read(work)

    async def known_ids(self, ids: Collection[str]) -> set[str]:
        """Return which of these are ids of orders, of batches, or recorded for other workflows."""
        columns = (ORDERS.c.order_id, BATCHES.c.batch_id, STARTED_INSTANCES.c.instance_id)

        def work(connection: Connection) -> set[str]:
            found: set[str] = set()
            given = list(ids)
            for start in range(0, len(given), AT_ONCE):
                some = given[start : start + AT_ONCE]
                for column in columns:
                    found.update(connection.scalars(select(column).where(column.in_(some))))
            return found

        return await self._database.read(work)

    async def to_compensate(
        self, after: str, limit: int, *, only: str | None = None
    ) -> list[Known]:
        """Return cancelled orders that are still to be compensated, by id, or a certain one."""
        query = (
            select(ORDERS)
            .where(IS_TO_BE_COMPENSATED, IS_OUTSTANDING, ORDERS.c.order_id > after)
            .order_by(ORDERS.c.order_id)
            .limit(limit)
        )
        if only is not None:
            query = query.where(ORDERS.c.order_id == only)
        rows = await self._database.read(lambda connection: connection.execute(query).all())
        return [_known(row) for row in rows]

    async def open_batches(
        self, after: int, limit: int, *, only: str | None = None
    ) -> list[OpenBatch]:
        """Return unfinished batches by number, or the one that runs a certain order."""
        entries = BATCH_ORDERS.join(ORDERS, ORDERS.c.order_id == BATCH_ORDERS.c.order_id)
        of_batch = BATCH_ORDERS.c.batch_id == BATCHES.c.batch_id
        changed = select(func.max(ORDERS.c.updated_at)).select_from(entries).where(of_batch)
        unfinished = (
            select(func.count())
            .select_from(entries)
            .where(of_batch, ORDERS.c.status.in_(UNFINISHED))
        )
        query = (
            select(
                BATCHES,
                unfinished.scalar_subquery().label("unfinished"),
                changed.scalar_subquery().label("changed_at"),
            )
            .where(BATCHES.c.ended_at.is_(None), BATCHES.c.number > after)
            .order_by(BATCHES.c.number)
            .limit(limit)
        )
        if only is not None:
            query = query.where(
                exists().where(
                    BATCH_ORDERS.c.batch_id == BATCHES.c.batch_id, BATCH_ORDERS.c.order_id == only
                )
            )
        rows = await self._database.read(lambda connection: connection.execute(query).all())
        return [
            OpenBatch(
                row.batch_id,
                row.number,
                row.reason is not None,
                row.unfinished,
                row.changed_at or row.created_at,
            )
            for row in rows
        ]

    async def is_promised(self, order_id: str, topic: str) -> bool:
        """Whether a message about an order waits to be published on a topic."""
        waiting = exists().where(OUTBOX.c.key == order_id, OUTBOX.c.topic == topic)
        return bool(
            await self._database.read(lambda connection: connection.scalar(select(waiting)))
        )

    async def promise(self, message: Message) -> None:
        """Promise to publish a message."""
        await self._database.write(lambda connection: add_within(connection, message))


_IS_UNFINISHED = or_(ORDERS.c.status.in_(UNFINISHED), IS_OUTSTANDING)
_BATCH_ID = (
    select(BATCH_ORDERS.c.batch_id)
    .where(is_entry_of_open_batch(ORDERS.c.order_id))
    .limit(1)
    .scalar_subquery()
)


def _known(row: Row[tuple[object, ...]]) -> Known:
    return Known(
        order_id=row.order_id,
        number=row.number,
        status=OrderStatus(row.status),
        sequence=row.sequence,
        run_id=row.run_id,
        total_cents=row.total_cents,
        compensation=row.compensation,
        updated_at=row.updated_at,
    )
