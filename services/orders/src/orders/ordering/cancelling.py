"""Decides between a cancellation and a charge, on the order's row."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, bindparam, func, update

from orderflow_contracts.orders import OrderStatus, OrderStatusChanged, Reason
from orders.ordering.changes import SELECT_ORDER, append_within, is_before_charge
from orders.ordering.records import (
    BEFORE_CHARGE,
    Cancellation,
    ChargeStart,
    Compensation,
    Standing,
    StoredChange,
)
from orders.tables import ORDERS

_REQUEST_CANCEL = (
    update(ORDERS)
    .where(ORDERS.c.order_id == bindparam("key"))
    .values(cancel_requested_at=bindparam("at"))
)


_END_AS_CANCELLED = (
    update(ORDERS)
    .where(ORDERS.c.order_id == bindparam("key"))
    .values(
        status=OrderStatus.CANCELLED.value,
        reason=Reason.CANCELLED_ON_REQUEST.value,
        detail=None,
        sequence=bindparam("sequence"),
        cancel_requested_at=func.coalesce(ORDERS.c.cancel_requested_at, bindparam("at")),
        charge_sent_at=None,
        compensation=Compensation.OUTSTANDING.value,
        updated_at=bindparam("at"),
    )
)


def request_cancel_within(
    connection: Connection, order_id: str, at: datetime
) -> Cancellation | None:
    """Do what `OrderStore.request_cancel` does, as a part of a larger transaction."""
    row = _locked(connection, order_id)
    if row is None:
        return None
    status = OrderStatus(row.status)
    if not status.is_final and row.cancel_requested_at is None:
        connection.execute(_REQUEST_CANCEL, {"key": order_id, "at": at})
    return Cancellation(status, is_before_charge=is_before_charge(row.status, row.charge_sent_at))


def end_cancelled_within(
    connection: Connection, order_id: str, at: datetime
) -> StoredChange | None:
    """Do what `OrderStore.end_cancelled` does, as a part of a larger transaction."""
    row = _locked(connection, order_id)
    if row is None or row.cancel_requested_at is None:
        return None
    if not is_before_charge(row.status, row.charge_sent_at):
        return None
    return _end_as_cancelled(connection, row, at)


def start_charge_within(
    connection: Connection, order_id: str, run_id: str, at: datetime
) -> ChargeStart:
    """Do what `OrderStore.start_charge` does, as a part of a larger transaction."""
    row = _locked(connection, order_id)
    standing = standing_of(row, run_id)
    if row is None or standing is not Standing.MAY_ACT or row.status not in BEFORE_CHARGE:
        return ChargeStart(standing)
    earlier = row.charge_sent_at
    if earlier is not None and row.cancel_requested_at is not None:
        return ChargeStart(Standing.IN_DOUBT)
    sent_at = at if earlier is None else max(at, earlier + timedelta(microseconds=1))
    of_order = update(ORDERS).where(ORDERS.c.order_id == order_id)
    connection.execute(of_order.values(charge_sent_at=sent_at))
    return ChargeStart(standing, sent_at=sent_at if earlier is None else None)


def nothing_charged_within(
    connection: Connection, order_id: str, run_id: str, sent_at: datetime | None, at: datetime
) -> tuple[Standing, StoredChange | None]:
    """Do what `OrderStore.nothing_charged` does, as a part of a larger transaction."""
    row = _locked(connection, order_id)
    standing = standing_of(row, run_id)
    if row is None or standing is not Standing.MAY_ACT:
        return standing, None
    if sent_at is not None and row.charge_sent_at != sent_at:
        return standing, None
    if row.cancel_requested_at is not None:
        return Standing.CANCELLED, _end_as_cancelled(connection, row, at)
    of_order = update(ORDERS).where(ORDERS.c.order_id == order_id)
    connection.execute(of_order.values(charge_sent_at=None))
    return Standing.MAY_ACT, None


def standing_of(row: Any | None, run_id: str) -> Standing:
    """Return whether a run may act for the order in this row."""
    if row is None or row.run_id not in {None, run_id}:
        return Standing.SUPERSEDED
    if OrderStatus(row.status).is_final:
        return Standing.SUPERSEDED if row.compensation is None else Standing.CANCELLED
    is_cancelled = row.cancel_requested_at is not None and is_before_charge(
        row.status, row.charge_sent_at
    )
    return Standing.CANCELLED if is_cancelled else Standing.MAY_ACT


def _end_as_cancelled(connection: Connection, row: Any, at: datetime) -> StoredChange:
    """Record the final status of an order before it is compensated."""
    change = OrderStatusChanged(
        order_id=row.order_id,
        sequence=row.sequence + 1,
        status=OrderStatus.CANCELLED,
        reason=Reason.CANCELLED_ON_REQUEST,
        total_cents=row.total_cents,
        at=at,
    )
    stored = append_within(connection, change)
    values = {"key": row.order_id, "sequence": change.sequence, "at": change.at}
    connection.execute(_END_AS_CANCELLED, values)
    return stored


def _locked(connection: Connection, order_id: str) -> Any | None:
    """Read an order that this transaction is about to decide on."""
    query = SELECT_ORDER.with_for_update()
    return connection.execute(query, {"order_id": order_id}).one_or_none()
