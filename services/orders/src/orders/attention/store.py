"""The table of retried rollbacks: how often each order was retried, and the last result."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    JSON,
    Column,
    Connection,
    ForeignKey,
    Integer,
    String,
    Table,
    and_,
    insert,
    or_,
    select,
    update,
)

from orderflow_contracts.attention import OrderAttention
from orderflow_contracts.fields import Clock, now
from orderflow_contracts.orders import OrderStatus
from orderflow_hosting.database import Database, Utc
from orders.ordering.records import Compensation
from orders.tables import ORDERS, TABLES

_retries = Table(
    "undo_retries",
    TABLES,
    Column("order_id", String(64), ForeignKey(ORDERS.c.order_id), primary_key=True),
    Column("retries", Integer, nullable=False),
    Column("retried_by", String(128), nullable=False),
    Column("retrying_since", Utc),
    Column("not_undone", JSON),
    Column("failed_at", Utc),
    Column("settled_at", Utc),
    Column("settled_by", String(128)),
)
"""One row for each order whose rollback was retried, with the latest retry."""


class NothingToRetry(Exception):
    """The order needs no attention, or no longer does."""


@dataclass(frozen=True)
class Retry:
    """A retry in progress: its number, from 1 for each order, and the run that it belongs to.

    `not_undone` names the compensations that failed in the previous retry, if there was one.
    """

    order_id: str
    number: int
    run_id: str
    not_undone: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Unsettled:
    """An order that needs attention: its latest retry, and since when that runs, if it does."""

    number: int
    order_id: str
    retries: int | None
    retrying_since: datetime | None
    compensation: str | None


class AttentionStore:
    """The table of retries. Every method is one transaction and is idempotent."""

    def __init__(self, database: Database, clock: Clock = now) -> None:
        self._database = database
        self._clock = clock

    async def begin(self, order_id: str, by: str) -> Retry | None:
        """Record a new retry, or return the one in progress.

        None when there is no such order. Raises `NothingToRetry`.
        """
        return await self._database.write(
            lambda connection: _begin(connection, order_id, by, self._clock())
        )

    async def conclude(self, order_id: str, number: int, not_undone: Sequence[str]) -> bool:
        """Record the result of a retry. A repeated or an outdated result changes nothing."""
        at = self._clock()
        outcome = (
            {"failed_at": at, "not_undone": list(not_undone)}
            if not_undone
            else {"not_undone": [], "settled_at": at, "settled_by": _retries.c.retried_by}
        )
        change = (
            update(_retries)
            .where(
                _retries.c.order_id == order_id,
                _retries.c.retries == number,
                _retries.c.retrying_since.is_not(None),
            )
            .values(retrying_since=None, **outcome)
        )
        settled = update(ORDERS).where(ORDERS.c.order_id == order_id).values(compensation=None)

        def work(connection: Connection) -> bool:
            is_changed = bool(connection.execute(change).rowcount)
            if is_changed and not not_undone:
                connection.execute(settled)
            return is_changed

        return await self._database.write(work)

    async def attention(self, order_id: str) -> OrderAttention | None:
        """Return the state of an order that needs or needed attention, or None for any other."""

        def work(connection: Connection) -> OrderAttention | None:
            order = _order(connection, order_id)
            row = _row(connection, order_id)
            if order is None or not (_needs_attention(order) or row is not None):
                return None
            if row is None:
                return OrderAttention(order_id=order_id)
            return OrderAttention.model_validate(row, from_attributes=True)

        return await self._database.read(work)

    async def in_progress(self) -> list[Retry]:
        """Return the retries in progress."""
        query = (
            select(_retries, ORDERS.c.run_id)
            .join(ORDERS, ORDERS.c.order_id == _retries.c.order_id)
            .where(_retries.c.retrying_since.is_not(None))
        )
        rows = await self._database.read(lambda connection: connection.execute(query).all())
        return [_retry(row, row.retries, row.run_id) for row in rows]

    async def unsettled(
        self, after: int, limit: int, *, only: str | None = None
    ) -> list[Unsettled]:
        """Return orders that need attention and are not settled, by number, or a certain one."""
        query = (
            select(
                ORDERS.c.number,
                ORDERS.c.order_id,
                _retries.c.retries,
                _retries.c.retrying_since,
                ORDERS.c.compensation,
            )
            .select_from(ORDERS.outerjoin(_retries, _retries.c.order_id == ORDERS.c.order_id))
            .where(
                or_(
                    and_(
                        ORDERS.c.status == OrderStatus.NEEDS_ATTENTION.value,
                        _retries.c.settled_at.is_(None),
                    ),
                    ORDERS.c.compensation == Compensation.FAILED.value,
                ),
                ORDERS.c.number > after,
            )
            .order_by(ORDERS.c.number)
            .limit(limit)
        )
        if only is not None:
            query = query.where(ORDERS.c.order_id == only)
        rows = await self._database.read(lambda connection: connection.execute(query).all())
        return [Unsettled(*row) for row in rows]


def _begin(connection: Connection, order_id: str, by: str, at: datetime) -> Retry | None:
    order = _order(connection, order_id)
    if order is None:
        return None
    known = _row(connection, order_id)
    if known is None and not _needs_attention(order):
        raise NothingToRetry(f"order {order_id} needs no attention: it is {order.status}")
    if known is None:
        connection.execute(
            insert(_retries).values(order_id=order_id, retries=1, retried_by=by, retrying_since=at)
        )
        return Retry(order_id, 1, order.run_id)
    if known.settled_at is not None:
        raise NothingToRetry(f"order {order_id} is settled: everything is undone")
    if known.retrying_since is not None:
        return _retry(known, known.retries, order.run_id)
    connection.execute(
        update(_retries)
        .where(_retries.c.order_id == order_id)
        .values(retries=known.retries + 1, retried_by=by, retrying_since=at)
    )
    return _retry(known, known.retries + 1, order.run_id)


def _retry(row: Any, number: int, run_id: str) -> Retry:
    left_over = tuple(row.not_undone) if row.not_undone else None
    return Retry(row.order_id, number, run_id, left_over)


def _needs_attention(order: Any) -> bool:
    """Whether a compensation of the order failed, also if it had been cancelled before."""
    has_failed: bool = order.compensation == Compensation.FAILED
    return has_failed or order.status == OrderStatus.NEEDS_ATTENTION


def _order(connection: Connection, order_id: str) -> Any | None:
    columns = (ORDERS.c.status, ORDERS.c.run_id, ORDERS.c.compensation)
    query = select(*columns).where(ORDERS.c.order_id == order_id)
    return connection.execute(query).one_or_none()


def _row(connection: Connection, order_id: str) -> Any | None:
    query = select(_retries).where(_retries.c.order_id == order_id)
    return connection.execute(query).one_or_none()
