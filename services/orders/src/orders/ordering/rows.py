"""Rows of orders and of statuses, as messages."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import ColumnElement, Row, and_, null

from orderflow_contracts.orders import (
    HistoryEntry,
    Order,
    OrderLine,
    OrderStatus,
    OrderStatusChanged,
    OrderSubmitted,
)
from orders.ordering.records import Compensation, Pending, StoredChange
from orders.tables import BATCH_ORDERS, BATCHES, ORDERS

IS_OUTSTANDING = ORDERS.c.compensation == Compensation.OUTSTANDING.value
"""Whether an order was cancelled and still has to be compensated."""


def is_entry_of_open_batch(order_id: ColumnElement[str]) -> ColumnElement[bool]:
    """Whether these rows of a batch and its entry say that the batch runs an order."""
    return and_(
        BATCH_ORDERS.c.order_id == order_id,
        BATCH_ORDERS.c.is_owner,
        BATCHES.c.batch_id == BATCH_ORDERS.c.batch_id,
        BATCHES.c.ended_at.is_(None),
    )


def lines_of(row: Row[Any]) -> tuple[OrderLine, ...]:
    """Return the lines of an order's row."""
    return tuple(OrderLine.model_validate(line) for line in row.lines)


def columns_of(order: OrderSubmitted) -> dict[str, Any]:
    """Return the columns of an order; its further fields share one, as a JSON object."""
    columns = order.model_dump(mode="json", exclude_defaults=True)
    further = {name: columns.pop(name) for name in order.further_fields() if name in columns}
    return {**columns, "details": further or null()}


def details_of(row: Row[Any]) -> dict[str, Any]:
    """Return the order's own fields by name."""
    first = {"order_id": row.order_id, "customer_id": row.customer_id, "lines": lines_of(row)}
    return {**(row.details or {}), **first}


def submitted(row: Row[Any]) -> OrderSubmitted:
    """Return the order as it was submitted."""
    return OrderSubmitted(**details_of(row))


def pending(row: Row[Any]) -> Pending:
    """Return an order, its status and the run that may act for it."""
    return Pending(submitted(row), OrderStatus(row.status), row.run_id)


def stored_change(row: Row[Any]) -> StoredChange:
    """Return a status change with its position."""
    return StoredChange(
        row.position,
        OrderStatusChanged(
            order_id=row.order_id,
            sequence=row.sequence,
            status=row.status,
            reason=row.reason,
            detail=row.detail,
            total_cents=row.total_cents,
            at=row.at,
        ),
    )


def order_of(row: Row[Any], history: Iterable[Row[Any]]) -> Order:
    """Return an order with its history."""
    return Order(
        **details_of(row),
        status=row.status,
        reason=row.reason,
        detail=row.detail,
        total_cents=row.total_cents,
        sequence=row.sequence,
        created_at=row.created_at,
        updated_at=row.updated_at,
        history=tuple(
            HistoryEntry(
                sequence=entry.sequence,
                status=entry.status,
                reason=entry.reason,
                detail=entry.detail,
                at=entry.at,
            )
            for entry in history
        ),
    )
