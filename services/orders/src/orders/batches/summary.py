"""Counts of a batch's orders by status, and the batch as a message."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, and_, func, select

from orderflow_contracts.batches import BatchedOrder, BatchSummary
from orderflow_contracts.orders import OrderStatus
from orders.tables import BATCH_ORDERS, ORDERS

EACH_WITH_ITS_ORDER = BATCH_ORDERS.outerjoin(
    ORDERS,
    and_(ORDERS.c.order_id == BATCH_ORDERS.c.order_id, BATCH_ORDERS.c.refused.is_(None)),
)
"""Each entry with its order; a refused entry has none, even if another order has its id."""


ENTRIES = select(
    BATCH_ORDERS.c.number,
    BATCH_ORDERS.c.order_id,
    BATCH_ORDERS.c.refused,
    ORDERS.c.status,
    ORDERS.c.reason,
    func.coalesce(BATCH_ORDERS.c.detail, ORDERS.c.detail).label("detail"),
    ORDERS.c.total_cents,
).select_from(EACH_WITH_ITS_ORDER)


@dataclass(frozen=True)
class Part:
    """The number of entries of a batch with one status, and their total."""

    status: OrderStatus
    is_refused: bool
    count: int
    total_cents: int


def counted(connection: Connection, batch_ids: Sequence[str]) -> dict[str, list[Part]]:
    """Count the entries of each batch by status, and add up their totals."""
    is_refused = BATCH_ORDERS.c.refused.is_not(None).label("is_refused")
    query = (
        select(
            BATCH_ORDERS.c.batch_id,
            ORDERS.c.status,
            is_refused,
            func.count().label("count"),
            func.sum(ORDERS.c.total_cents).label("total_cents"),
        )
        .select_from(EACH_WITH_ITS_ORDER)
        .where(BATCH_ORDERS.c.batch_id.in_(batch_ids))
        .group_by(BATCH_ORDERS.c.batch_id, ORDERS.c.status, is_refused)
    )
    sums: dict[str, list[Part]] = {}
    for row in connection.execute(query):
        count, total = row._mapping["count"], int(row.total_cents or 0)  # noqa: SLF001 # its API
        part = Part(_status(row), bool(row.is_refused), count, total)
        sums.setdefault(row.batch_id, []).append(part)
    return sums


def summary(row: Row[Any], parts: Iterable[Part]) -> BatchSummary:
    """Return a batch with the number of its orders in each status."""
    counts: Counter[OrderStatus] = Counter()
    total_cents = 0
    for part in parts:
        counts[part.status] += part.count
        total_cents += part.total_cents if part.status is OrderStatus.COMPLETED else 0
    return BatchSummary(
        batch_id=row.batch_id,
        status=row.status,
        reason=row.reason,
        total=counts.total(),
        counts=dict(sorted(counts.items())),
        total_cents=total_cents,
        created_at=row.created_at,
        ended_at=row.ended_at,
    )


def facts(row: Row[Any], orders: Sequence[BatchedOrder]) -> BatchSummary:
    """Return the same summary for a batch whose orders have been read."""
    parts = [Part(order.status, False, 1, order.total_cents or 0) for order in orders]  # noqa: FBT003 # refusals do not matter here
    return summary(row, parts)


def batched_order(row: Any) -> BatchedOrder:
    """Return an entry of a batch as a message."""
    return BatchedOrder(
        number=row.number,
        order_id=row.order_id,
        status=_status(row),
        reason=row.refused or row.reason,
        detail=row.detail,
        total_cents=row.total_cents,
    )


def _status(row: Any) -> OrderStatus:
    """Return the status of an entry's order; a refused entry has none and counts as rejected."""
    return OrderStatus(row.status) if row.status is not None else OrderStatus.REJECTED
