"""What orders remembers: every accepted order, each status it had, and nothing twice."""

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    Connection,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Row,
    Select,
    String,
    Table,
    UniqueConstraint,
    and_,
    func,
    insert,
    select,
    update,
)

from orderflow_contracts.fields import now
from orderflow_contracts.orders import (
    HistoryEntry,
    Order,
    OrderLine,
    OrderStatus,
    OrderStatusChanged,
    OrderSubmitted,
    Reason,
)
from orderflow_hosting.database import Database, Utc
from orderflow_hosting.dead_letters import dead_letter_table
from orders.domain import Acceptance

TABLES = MetaData()
DEAD_LETTERS = dead_letter_table(TABLES)

_Key = BigInteger().with_variant(Integer, "sqlite")  # SQLite counts up only plain integers

_orders = Table(
    "orders",
    TABLES,
    Column("number", _Key, primary_key=True),
    Column("order_id", String(64), nullable=False, unique=True),
    Column("customer_id", String(128), nullable=False),
    Column("lines", JSON, nullable=False),
    Column("status", String(32), nullable=False),
    Column("reason", String(64)),
    Column("total_cents", BigInteger),
    Column("sequence", Integer, nullable=False),
    Column("run_id", String(32)),
    Column("cancel_requested_at", Utc),
    Column("created_at", Utc, nullable=False),
    Column("updated_at", Utc, nullable=False),
    Index("orders_by_status", "status", "number"),
)

_statuses = Table(
    "order_statuses",
    TABLES,
    Column("position", _Key, primary_key=True),
    Column("order_id", String(64), ForeignKey(_orders.c.order_id), nullable=False),
    Column("sequence", Integer, nullable=False),
    Column("status", String(32), nullable=False),
    Column("reason", String(64)),
    Column("total_cents", BigInteger),
    Column("at", Utc, nullable=False),
    UniqueConstraint("order_id", "status"),
)


@dataclass(frozen=True)
class Accepted:
    """How a submission was taken, and the first status of the order that is kept."""

    acceptance: Acceptance
    first: OrderStatusChanged
    status: OrderStatus


@dataclass(frozen=True)
class Entry:
    """A status as it is kept; `change` is None when another run owns the order or it has ended
    otherwise. `cancelled` tells that somebody asked to cancel the order."""

    change: OrderStatusChanged | None
    cancelled: bool = False


@dataclass(frozen=True)
class Pending:
    """An accepted order that may have no workflow yet."""

    order: OrderSubmitted
    received_at: datetime


class OrderStore:
    """The tables of orders. Every method is one transaction and may be repeated."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def accept(self, order: OrderSubmitted) -> Accepted:
        """Keep an order with its first status, unless its id is known already."""
        return await self._database.write(lambda connection: _accept(connection, order))

    async def reject_invalid(self, order_id: str) -> OrderStatusChanged | None:
        """Keep the rejection of an order that could not be read, unless its id is known.

        Returns the rejection, also a second time; None when the id belongs to a real order.
        """
        return await self._database.write(lambda connection: _reject(connection, order_id))

    async def record(
        self,
        order_id: str,
        run_id: str,
        status: OrderStatus,
        *,
        reason: str | None = None,
        total_cents: int | None = None,
    ) -> Entry:
        """Keep that the order has this status now; again is the same as once.

        The first run that records something owns the order. Nothing follows a final status.
        """
        return await self._database.write(
            lambda connection: _record(connection, order_id, run_id, status, reason, total_cents)
        )

    async def request_cancel(self, order_id: str) -> OrderStatus | None:
        """Note that the order shall be cancelled unless it has ended; return its status."""
        return await self._database.write(lambda connection: _request_cancel(connection, order_id))

    async def order(self, order_id: str) -> Order | None:
        """Read an order with its history."""

        def work(connection: Connection) -> Order | None:
            row = connection.execute(_select_order(order_id)).one_or_none()
            if row is None:
                return None
            history = connection.execute(
                select(_statuses)
                .where(_statuses.c.order_id == order_id)
                .order_by(_statuses.c.sequence)
            ).all()
            return _order(row, history)

        return await self._database.read(work)

    async def orders(
        self, status: OrderStatus | None, limit: int, before: int | None
    ) -> list[tuple[int, Order]]:
        """Read orders, newest first, each with its number; without their histories."""
        query = select(_orders).order_by(_orders.c.number.desc()).limit(limit)
        if status is not None:
            query = query.where(_orders.c.status == status)
        if before is not None:
            query = query.where(_orders.c.number < before)
        rows = await self._database.read(lambda connection: connection.execute(query).all())
        return [(row.number, _order(row, ())) for row in rows]

    async def not_under_way(self) -> list[Pending]:
        """Read the orders that no run has taken up: their workflow may not be started."""
        query = select(_orders).where(
            _orders.c.status == OrderStatus.RECEIVED, _orders.c.run_id.is_(None)
        )
        rows = await self._database.read(lambda connection: connection.execute(query).all())
        return [Pending(_submitted(row), row.created_at) for row in rows]

    async def cancels_to_hand_over(self) -> list[str]:
        """Read the orders that wait for approval although they shall be cancelled."""
        query = select(_orders.c.order_id).where(
            _orders.c.status == OrderStatus.AWAITING_APPROVAL,
            _orders.c.cancel_requested_at.is_not(None),
        )
        rows = await self._database.read(lambda connection: connection.execute(query).all())
        return [row.order_id for row in rows]

    async def changes(self, after: int, limit: int) -> list[tuple[int, OrderStatusChanged]]:
        """Read status changes of all orders after a position, oldest first."""
        query = (
            select(_statuses)
            .where(_statuses.c.position > after)
            .order_by(_statuses.c.position)
            .limit(limit)
        )
        rows = await self._database.read(lambda connection: connection.execute(query).all())
        return [(row.position, _change(row)) for row in rows]

    async def last_position(self) -> int:
        """Tell the position of the newest status change, 0 when there is none."""
        query = select(func.max(_statuses.c.position))
        position = await self._database.read(lambda connection: connection.scalar(query))
        return position or 0


def new_run_id() -> str:
    """Name a run of the order workflow."""
    return uuid.uuid4().hex


def _accept(connection: Connection, order: OrderSubmitted) -> Accepted:
    known = connection.execute(_with_status(order.order_id, OrderStatus.RECEIVED)).one_or_none()
    if known is None:
        lines = [line.model_dump() for line in order.lines]
        first = _create(
            connection, order.order_id, order.customer_id, lines, OrderStatus.RECEIVED, None
        )
        return Accepted(Acceptance.NEW, first, OrderStatus.RECEIVED)
    same = order.same_content_as(known.customer_id, _lines(known)) and known.at is not None
    first = OrderStatusChanged(
        order_id=order.order_id,
        sequence=1,
        status=OrderStatus.RECEIVED,
        at=known.created_at,
    )
    return Accepted(
        Acceptance.SAME if same else Acceptance.OTHER, first, OrderStatus(known.current_status)
    )


def _reject(connection: Connection, order_id: str) -> OrderStatusChanged | None:
    known = connection.execute(_with_status(order_id, OrderStatus.REJECTED)).one_or_none()
    if known is None:
        return _create(
            connection, order_id, "unknown", [], OrderStatus.REJECTED, Reason.INVALID.value
        )
    if known.reason == Reason.INVALID and known.at is not None:
        return _change(known)
    return None


def _create(
    connection: Connection,
    order_id: str,
    customer_id: str,
    lines: list[dict[str, Any]],
    status: OrderStatus,
    reason: str | None,
) -> OrderStatusChanged:
    change = OrderStatusChanged(
        order_id=order_id, sequence=1, status=status, reason=reason, at=now()
    )
    connection.execute(
        insert(_orders),
        {
            "order_id": order_id,
            "customer_id": customer_id,
            "lines": lines,
            "status": status.value,
            "reason": reason,
            "sequence": 1,
            "created_at": change.at,
            "updated_at": change.at,
        },
    )
    _append(connection, change)
    return change


def _record(
    connection: Connection,
    order_id: str,
    run_id: str,
    status: OrderStatus,
    reason: str | None,
    total_cents: int | None,
) -> Entry:
    known = connection.execute(_with_status(order_id, status)).one_or_none()
    if known is None or known.run_id not in (None, run_id):
        return Entry(None)
    cancelled = known.cancel_requested_at is not None
    if known.at is not None:
        return Entry(_change(known), cancelled)
    if OrderStatus(known.current_status).is_final:
        return Entry(None)
    change = OrderStatusChanged(
        order_id=order_id,
        sequence=known.current_sequence + 1,
        status=status,
        reason=reason,
        total_cents=total_cents,
        at=now(),
    )
    _append(connection, change)
    connection.execute(
        update(_orders)
        .where(_orders.c.order_id == order_id)
        .values(
            status=status.value,
            reason=reason,
            total_cents=total_cents,
            sequence=change.sequence,
            run_id=run_id,
            updated_at=change.at,
        )
    )
    return Entry(change, cancelled)


def _request_cancel(connection: Connection, order_id: str) -> OrderStatus | None:
    row = connection.execute(_select_order(order_id)).one_or_none()
    if row is None:
        return None
    status = OrderStatus(row.status)
    if not status.is_final and row.cancel_requested_at is None:
        connection.execute(
            update(_orders)
            .where(_orders.c.order_id == order_id)
            .values(cancel_requested_at=now())
        )
    return status


def _append(connection: Connection, change: OrderStatusChanged) -> None:
    connection.execute(
        insert(_statuses),
        {
            "order_id": change.order_id,
            "sequence": change.sequence,
            "status": change.status.value,
            "reason": change.reason,
            "total_cents": change.total_cents,
            "at": change.at,
        },
    )


def _select_order(order_id: str) -> Select[Any]:
    return select(_orders).where(_orders.c.order_id == order_id)


def _with_status(order_id: str, status: OrderStatus) -> Select[Any]:
    """Select an order together with its entry for one status; `at` is None without one."""
    entry = and_(_statuses.c.order_id == _orders.c.order_id, _statuses.c.status == status.value)
    return (
        select(
            _orders.c.order_id,
            _orders.c.customer_id,
            _orders.c.lines,
            _orders.c.run_id,
            _orders.c.created_at,
            _orders.c.cancel_requested_at,
            _orders.c.status.label("current_status"),
            _orders.c.sequence.label("current_sequence"),
            _statuses.c.sequence,
            _statuses.c.status,
            _statuses.c.reason,
            _statuses.c.total_cents,
            _statuses.c.at,
        )
        .select_from(_orders.outerjoin(_statuses, entry))
        .where(_orders.c.order_id == order_id)
    )


def _lines(row: Row[Any]) -> tuple[OrderLine, ...]:
    return tuple(OrderLine.model_validate(line) for line in row.lines)


def _submitted(row: Row[Any]) -> OrderSubmitted:
    return OrderSubmitted(order_id=row.order_id, customer_id=row.customer_id, lines=_lines(row))


def _change(row: Row[Any]) -> OrderStatusChanged:
    return OrderStatusChanged(
        order_id=row.order_id,
        sequence=row.sequence,
        status=row.status,
        reason=row.reason,
        total_cents=row.total_cents,
        at=row.at,
    )


def _order(row: Row[Any], history: Iterable[Row[Any]]) -> Order:
    return Order(
        order_id=row.order_id,
        customer_id=row.customer_id,
        lines=_lines(row),
        status=row.status,
        reason=row.reason,
        total_cents=row.total_cents,
        sequence=row.sequence,
        created_at=row.created_at,
        updated_at=row.updated_at,
        history=tuple(
            HistoryEntry(
                sequence=entry.sequence, status=entry.status, reason=entry.reason, at=entry.at
            )
            for entry in history
        ),
    )
