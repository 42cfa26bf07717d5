"""Changes of a stored batch, each a part of a transaction."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Select, select, update

from orderflow_contracts.batches import MOST_NAMED_REFUSALS, BatchStatus, BatchStatusChanged
from orderflow_hosting.outbox import add_within
from orders.batches.records import OpenOrder, run_id_of
from orders.batches.summary import ENTRIES, Part, batched_order, counted, summary
from orders.ordering.changes import promise_first_within
from orders.ordering.records import UNFINISHED
from orders.outgoing import batch_ended
from orders.tables import BATCH_ORDERS, BATCHES, ORDERS

NO_VALID_ORDER: Final = "no_valid_order"


def conclude_within(
    connection: Connection, batch_id: str, at: datetime
) -> BatchStatusChanged | None:
    """Do what `BatchStore.conclude` does, as a part of a transaction."""
    row = row_of(connection, batch_id)
    if row is None:
        return None
    sums = counted(connection, [batch_id]).get(batch_id, [])
    if row.ended_at is not None:
        return _ended(connection, row, sums)
    is_stopped = row.reason is not None
    if is_stopped and unfinished_orders(connection, batch_id):
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
    ended = row_of(connection, batch_id)
    return None if ended is None else _ended(connection, ended, sums)


def _ended(connection: Connection, row: Any, sums: Sequence[Part]) -> BatchStatusChanged:
    """Return the end of a batch with its first refused entries, and promise to publish it."""
    refused = (
        ENTRIES.where(BATCH_ORDERS.c.batch_id == row.batch_id, BATCH_ORDERS.c.refused.is_not(None))
        .order_by(BATCH_ORDERS.c.number)
        .limit(MOST_NAMED_REFUSALS)
    )
    named = tuple(map(batched_order, connection.execute(refused)))
    ended = BatchStatusChanged(**summary(row, sums).model_dump(), refused=named)
    add_within(connection, batch_ended(ended))
    return ended


def unfinished_orders(connection: Connection, batch_id: str) -> list[OpenOrder]:
    """Return the unfinished orders that the batch runs."""
    return [
        OpenOrder(row.order_id, row.run_id or run_id_of(batch_id, row.order_id))
        for row in connection.execute(_select_unfinished(batch_id))
    ]


def promise_accepted_by_earlier_version(connection: Connection, batch_id: str) -> None:
    """Promise to publish the first statuses of the batch's orders that have no run on record."""
    accepted = _select_unfinished(batch_id).where(ORDERS.c.run_id.is_(None))
    for row in connection.execute(accepted).all():
        promise_first_within(connection, row.order_id)


def _select_unfinished(batch_id: str) -> Select[Any]:
    return (
        select(ORDERS.c.order_id, ORDERS.c.run_id)
        .join(ORDERS, ORDERS.c.order_id == BATCH_ORDERS.c.order_id)
        .where(
            BATCH_ORDERS.c.batch_id == batch_id,
            BATCH_ORDERS.c.is_owner,
            ORDERS.c.status.in_(UNFINISHED),
        )
        .order_by(BATCH_ORDERS.c.number)
    )


def row_of(connection: Connection, batch_id: str) -> Any | None:
    """Return the row of a batch, or None."""
    return connection.execute(select(BATCHES).where(BATCHES.c.batch_id == batch_id)).one_or_none()
