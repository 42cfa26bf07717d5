"""What orders remembers: every accepted order, each status it had, and nothing twice."""

import uuid
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    and_,
    bindparam,
    exists,
    func,
    insert,
    literal,
    null,
    or_,
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
from orderflow_hosting.database import Database
from orderflow_hosting.spellings import note
from orders.tables import BATCH_ORDERS, BATCHES, CUSTOMER, ITEM, ORDERS, STATUSES

_UNDO: Final = "undo"
"""Begins the name of a run that undoes; other runs' names are hexadecimal digits."""

UNFINISHED: Final = tuple(status.value for status in OrderStatus if not status.is_final)


WAITING: Final = frozenset({OrderStatus.AWAITING_APPROVAL, OrderStatus.PAID})
"""With these statuses an order may wait for somebody: an approver, or who picks its goods."""


class OtherContent(Exception):
    """The id belongs to an order with other content; the two are never merged."""

    def __init__(self, order_id: str) -> None:
        super().__init__(f"order {order_id} exists with other content")


@dataclass(frozen=True)
class Kept:
    """A status change as it is kept, and its position among all of them."""

    position: int
    change: OrderStatusChanged


@dataclass(frozen=True)
class Accepted:
    """How a submission was taken: the order's first status, and the present one."""

    is_new: bool
    first: Kept
    status: OrderStatus


@dataclass(frozen=True)
class Record:
    """A status on record, and whether somebody asked to cancel the order."""

    kept: Kept
    cancelled: bool


@dataclass(frozen=True)
class Pending:
    """An order that has not ended, and the run that owns it, if one has recorded a status."""

    order: OrderSubmitted
    received_at: datetime
    run_id: str | None = None


class OrderStore:
    """The tables of orders. Every method is one transaction and may be repeated."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def accept(self, order: OrderSubmitted) -> Accepted:
        """Keep an order with its first status, unless it is known already.

        Raises `OtherContent` when its id is known with other content.
        """
        return await self._database.write(lambda connection: accept_within(connection, order))

    async def reject_invalid(self, order_id: str) -> Kept | None:
        """Keep the rejection of an order that could not be read, unless its id is known.

        Returns the rejection, also a second time; None when the id belongs to a real order.
        """
        return await self._database.write(lambda connection: reject_within(connection, order_id))

    async def record(
        self,
        order_id: str,
        run_id: str,
        status: OrderStatus,
        *,
        reason: str | None = None,
        total_cents: int | None = None,
    ) -> Record | None:
        """Record that the order has this status now; again is the same as once.

        The first run that records something owns the order, and nothing follows a final status:
        for another run, or after another end, the answer is None and nothing is recorded.
        """
        return await self._database.write(
            lambda connection: _record(connection, order_id, run_id, status, reason, total_cents)
        )

    async def may_belong_to(self, order_id: str, run_id: str) -> bool:
        """Tell whether this run owns the order, or none does yet."""
        row = await self._database.read(
            lambda connection: connection.execute(
                _SELECT_ORDER, {"order_id": order_id}
            ).one_or_none()
        )
        return row is not None and row.run_id in {None, run_id}

    async def request_cancel(self, order_id: str) -> OrderStatus | None:
        """Note that the order shall be cancelled unless it has ended; return its status."""
        return await self._database.write(lambda connection: _request_cancel(connection, order_id))

    async def order(self, order_id: str) -> Order | None:
        """Read an order with its history."""

        def work(connection: Connection) -> Order | None:
            key = {"order_id": order_id}
            row = connection.execute(_SELECT_ORDER, key).one_or_none()
            if row is None:
                return None
            return _order(row, connection.execute(_SELECT_HISTORY, key).all())

        return await self._database.read(work)

    async def orders(
        self, status: OrderStatus | None, limit: int, before: int | None
    ) -> list[tuple[int, Order]]:
        """Read orders with their histories, newest first, each with its number."""
        query = select(ORDERS).order_by(ORDERS.c.number.desc()).limit(limit)
        if status is not None:
            query = query.where(ORDERS.c.status == status)
        if before is not None:
            query = query.where(ORDERS.c.number < before)

        def work(connection: Connection) -> list[tuple[int, Order]]:
            rows = connection.execute(query).all()
            histories = _histories(connection, [row.order_id for row in rows])
            return [(row.number, _order(row, histories[row.order_id])) for row in rows]

        return await self._database.read(work)

    async def unfinished(self, left_before: datetime | None = None) -> list[Pending]:
        """Read the orders that have not ended: their workflow may have to be started (again).

        Those of a batch are left out: the batch starts them, and nobody else. With a time, only
        those to be started or undone of which nothing was recorded since.
        """
        query = (
            select(ORDERS)
            .where(ORDERS.c.status.in_(UNFINISHED), ~_is_run_by_batch(ORDERS.c.order_id))
            .order_by(ORDERS.c.number)
        )
        if left_before is not None:
            is_to_be_started = ORDERS.c.status == OrderStatus.RECEIVED.value
            query = query.where(
                or_(is_to_be_started, ORDERS.c.run_id.startswith(_UNDO)),
                ORDERS.c.updated_at < left_before,
            )
        rows = await self._database.read(lambda connection: connection.execute(query).all())
        return [Pending(_submitted(row), row.created_at, row.run_id) for row in rows]

    async def is_run_by_batch(self, order_id: str) -> bool:
        """Tell whether a batch that has not ended runs this order."""
        query = select(_is_run_by_batch(literal(order_id)))
        return bool(await self._database.read(lambda connection: connection.scalar(query)))

    async def hand_to_undo(self, order_id: str) -> str | None:
        """Take an order from its run, which can record nothing more, and name the run that undoes.

        Again is the same as once. None when the order is unknown or has ended.
        """
        return await self._database.write(lambda connection: _hand_to_undo(connection, order_id))

    async def cancels_to_hand_over(self, since: datetime | None = None) -> list[str]:
        """Read the orders that may wait for somebody although they shall be cancelled.

        With a time, only those whose cancellation was asked for since then.
        """
        query = select(ORDERS.c.order_id).where(
            ORDERS.c.status.in_([status.value for status in WAITING]),
            ORDERS.c.cancel_requested_at.is_not(None),
        )
        if since is not None:
            query = query.where(ORDERS.c.cancel_requested_at >= since)
        rows = await self._database.read(lambda connection: connection.execute(query).all())
        return [row.order_id for row in rows]

    async def changes(self, after: int, most: int) -> list[Kept]:
        """Read status changes of all orders after a position, oldest first."""
        rows = await self._database.read(
            lambda connection: connection.execute(
                _SELECT_CHANGES, {"after": after, "most": most}
            ).all()
        )
        return [_kept(row) for row in rows]

    async def last_position(self) -> int:
        """Tell the position of the newest status change, 0 when there is none."""
        query = select(func.max(STATUSES.c.position))
        position = await self._database.read(lambda connection: connection.scalar(query))
        return position or 0


def _is_run_by_batch(order_id: ColumnElement[str]) -> ColumnElement[bool]:
    return exists().where(
        BATCH_ORDERS.c.order_id == order_id,
        BATCH_ORDERS.c.is_owner,
        BATCHES.c.batch_id == BATCH_ORDERS.c.batch_id,
        BATCHES.c.ended_at.is_(None),
    )


def new_run_id() -> str:
    """Name a run of the order workflow."""
    return uuid.uuid4().hex


def undoes(run_id: str | None) -> bool:
    """Tell whether a run is one that undoes its order."""
    return run_id is not None and run_id.startswith(_UNDO)


# The statements are made once: SQLAlchemy spends more on making a statement than on running it.

_SELECT_ORDER = select(ORDERS).where(ORDERS.c.order_id == bindparam("order_id"))

_SELECT_HISTORY = (
    select(STATUSES)
    .where(STATUSES.c.order_id == bindparam("order_id"))
    .order_by(STATUSES.c.sequence)
)

_SELECT_WITH_STATUS = (
    select(
        ORDERS.c.order_id,
        ORDERS.c.customer_id,
        ORDERS.c.lines,
        ORDERS.c.details,
        ORDERS.c.run_id,
        ORDERS.c.created_at,
        ORDERS.c.cancel_requested_at,
        ORDERS.c.status.label("current_status"),
        ORDERS.c.sequence.label("current_sequence"),
        STATUSES.c.position,
        STATUSES.c.sequence,
        STATUSES.c.status,
        STATUSES.c.reason,
        STATUSES.c.total_cents,
        STATUSES.c.at,
    )
    .select_from(
        ORDERS.outerjoin(
            STATUSES,
            and_(
                STATUSES.c.order_id == ORDERS.c.order_id,
                STATUSES.c.status == bindparam("status"),
            ),
        )
    )
    .where(ORDERS.c.order_id == bindparam("order_id"))
)
"""An order together with its entry for one status, whose columns are None without one."""

_INSERT_ORDER = insert(ORDERS)
_INSERT_STATUS = insert(STATUSES)

_MOVE_ON = (
    update(ORDERS)
    .where(ORDERS.c.order_id == bindparam("key"))
    .values(
        status=bindparam("status"),
        reason=bindparam("reason"),
        total_cents=bindparam("total_cents"),
        sequence=bindparam("sequence"),
        run_id=bindparam("run_id"),
        updated_at=bindparam("updated_at"),
    )
)

_HAND_OVER = (
    update(ORDERS).where(ORDERS.c.order_id == bindparam("key")).values(run_id=bindparam("run_id"))
)

_REQUEST_CANCEL = (
    update(ORDERS)
    .where(ORDERS.c.order_id == bindparam("key"))
    .values(cancel_requested_at=bindparam("at"))
)

_SELECT_CHANGES = (
    select(STATUSES)
    .where(STATUSES.c.position > bindparam("after"))
    .order_by(STATUSES.c.position)
    .limit(bindparam("most"))
)


def accept_within(connection: Connection, order: OrderSubmitted) -> Accepted:
    """Do what `OrderStore.accept` does, as a part of a larger transaction."""
    known = _with_status(connection, order.order_id, OrderStatus.RECEIVED)
    if known is None:
        first = _create(connection, _columns(order), OrderStatus.RECEIVED, None)
        return Accepted(is_new=True, first=first, status=OrderStatus.RECEIVED)
    was_received = known.at is not None
    if not (was_received and order.same_content_as(_submitted(known))):
        raise OtherContent(order.order_id)
    return Accepted(is_new=False, first=_kept(known), status=OrderStatus(known.current_status))


def reject_within(connection: Connection, order_id: str) -> Kept | None:
    """Do what `OrderStore.reject_invalid` does, as a part of a larger transaction."""
    known = _with_status(connection, order_id, OrderStatus.REJECTED)
    if known is None:
        unread = {"order_id": order_id, "customer_id": "unknown", "lines": []}
        return _create(connection, unread, OrderStatus.REJECTED, Reason.INVALID.value)
    if known.reason == Reason.INVALID:
        return _kept(known)
    return None


def _create(
    connection: Connection, columns: dict[str, Any], status: OrderStatus, reason: str | None
) -> Kept:
    change = OrderStatusChanged(
        order_id=columns["order_id"], sequence=1, status=status, reason=reason, at=now()
    )
    connection.execute(
        _INSERT_ORDER,
        {
            **columns,
            "status": status.value,
            "reason": reason,
            "sequence": 1,
            "created_at": change.at,
            "updated_at": change.at,
        },
    )
    note(connection, CUSTOMER, columns["customer_id"])
    note(connection, ITEM, *(line["item"] for line in columns["lines"]))
    return _append(connection, change)


def _record(
    connection: Connection,
    order_id: str,
    run_id: str,
    status: OrderStatus,
    reason: str | None,
    total_cents: int | None,
) -> Record | None:
    known = _with_status(connection, order_id, status)
    if known is None or known.run_id not in {None, run_id}:
        return None
    cancelled = known.cancel_requested_at is not None
    if known.at is not None:
        return Record(_kept(known), cancelled)
    if OrderStatus(known.current_status).is_final:
        return None
    change = OrderStatusChanged(
        order_id=order_id,
        sequence=known.current_sequence + 1,
        status=status,
        reason=reason,
        total_cents=total_cents,
        at=now(),
    )
    kept = _append(connection, change)
    connection.execute(
        _MOVE_ON,
        {
            "key": order_id,
            "status": status.value,
            "reason": reason,
            "total_cents": total_cents,
            "sequence": change.sequence,
            "run_id": run_id,
            "updated_at": change.at,
        },
    )
    return Record(kept, cancelled)


def _request_cancel(connection: Connection, order_id: str) -> OrderStatus | None:
    row = connection.execute(_SELECT_ORDER, {"order_id": order_id}).one_or_none()
    if row is None:
        return None
    status = OrderStatus(row.status)
    if not status.is_final and row.cancel_requested_at is None:
        connection.execute(_REQUEST_CANCEL, {"key": order_id, "at": now()})
    return status


def _hand_to_undo(connection: Connection, order_id: str) -> str | None:
    row = connection.execute(_SELECT_ORDER, {"order_id": order_id}).one_or_none()
    if row is None or OrderStatus(row.status).is_final:
        return None
    if undoes(row.run_id):
        return str(row.run_id)
    run_id = f"{_UNDO}{new_run_id()[len(_UNDO) :]}"
    connection.execute(_HAND_OVER, {"key": order_id, "run_id": run_id})
    return run_id


def _append(connection: Connection, change: OrderStatusChanged) -> Kept:
    result = connection.execute(
        _INSERT_STATUS,
        {
            "order_id": change.order_id,
            "sequence": change.sequence,
            "status": change.status.value,
            "reason": change.reason,
            "total_cents": change.total_cents,
            "at": change.at,
        },
    )
    (position,) = result.inserted_primary_key or (0,)
    return Kept(position, change)


def _with_status(connection: Connection, order_id: str, status: OrderStatus) -> Any | None:
    return connection.execute(
        _SELECT_WITH_STATUS, {"order_id": order_id, "status": status.value}
    ).one_or_none()


def _histories(connection: Connection, order_ids: list[str]) -> defaultdict[str, list[Row[Any]]]:
    query = (
        select(STATUSES)
        .where(STATUSES.c.order_id.in_(order_ids))
        .order_by(STATUSES.c.order_id, STATUSES.c.sequence)
    )
    histories: defaultdict[str, list[Row[Any]]] = defaultdict(list)
    for entry in connection.execute(query):
        histories[entry.order_id].append(entry)
    return histories


def _lines(row: Row[Any]) -> tuple[OrderLine, ...]:
    return tuple(OrderLine.model_validate(line) for line in row.lines)


def _columns(order: OrderSubmitted) -> dict[str, Any]:
    """Return the columns that hold what was ordered: further fields in one, as a JSON object."""
    columns = order.model_dump(mode="json", exclude_defaults=True)
    further = {name: columns.pop(name) for name in order.further_fields() if name in columns}
    return {**columns, "details": further or null()}


def _details(row: Row[Any]) -> dict[str, Any]:
    """Return what was ordered, by the fields' names."""
    first = {"order_id": row.order_id, "customer_id": row.customer_id, "lines": _lines(row)}
    return {**(row.details or {}), **first}


def _submitted(row: Row[Any]) -> OrderSubmitted:
    return OrderSubmitted(**_details(row))


def _kept(row: Row[Any]) -> Kept:
    return Kept(
        row.position,
        OrderStatusChanged(
            order_id=row.order_id,
            sequence=row.sequence,
            status=row.status,
            reason=row.reason,
            total_cents=row.total_cents,
            at=row.at,
        ),
    )


def _order(row: Row[Any], history: Iterable[Row[Any]]) -> Order:
    return Order(
        **_details(row),
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
