"""Changes of a batch, each a part of a transaction."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, insert, select, update

from orderflow_contracts.batches import BatchStatus, BatchStatusChanged
from orderflow_contracts.orders import OrderSubmitted, Reason
from orders.batches.records import Entry, OtherBatchContent, StoredBatch
from orders.batches.summary import counted, summary
from orders.ordering.changes import accept_within
from orders.ordering.records import UNFINISHED, IdTaken, Invalid, OtherContent, StoredChange
from orders.ordering.rejecting import reject_within
from orders.tables import BATCH_ORDERS, BATCHES, ORDERS

OTHER_CONTENT: Final = "other_content"
NO_VALID_ORDER: Final = "no_valid_order"


def save_within(
    connection: Connection, batch_id: str, digest: str, entries: Sequence[Entry], at: datetime
) -> StoredBatch:
    """Do what `BatchStore.save` does, as a part of a transaction."""
    known = row_of(connection, batch_id)
    if known is not None and known.digest != digest:
        raise OtherBatchContent(batch_id)
    if known is not None:
        return StoredBatch(
            is_new=False,
            status=BatchStatus(known.status),
            is_stopped=known.reason is not None,
            refused=_refused_again(connection, batch_id, entries),
        )
    status = BatchStatus.RECEIVED
    connection.execute(
        insert(BATCHES).values(batch_id=batch_id, digest=digest, status=status.value, created_at=at)
    )
    outcomes = list(_accept_orders(connection, entries, at))
    rows = [
        {
            "batch_id": batch_id,
            "number": each.entry.number,
            "order_id": each.entry.order_id,
            "refused": each.entry.refused,
            "is_owner": each.entry.refused is None and each.first is not None,
        }
        for each in outcomes
    ]
    connection.execute(insert(BATCH_ORDERS), rows)
    return StoredBatch(
        is_new=True,
        status=status,
        is_stopped=False,
        refused=[each.entry for each in outcomes if each.entry.refused is not None],
        first=[each.first for each in outcomes if each.first is not None],
    )


@dataclass(frozen=True)
class _Outcome:
    """An entry, with the reason if it was refused, and the first status of an order that is new."""

    entry: Entry
    first: StoredChange | None


def _accept_orders(
    connection: Connection, entries: Sequence[Entry], at: datetime
) -> Iterator[_Outcome]:
    """Accept the orders of a batch; an order that it repeats is left out."""
    accepted: dict[str, OrderSubmitted] = {}
    for entry in entries:
        earlier = accepted.get(entry.order_id or "")
        if earlier and entry.order and entry.order.same_content_as(earlier):
            continue
        refused, first = _accept(connection, entry, at)
        if refused is None and entry.order is not None:
            accepted[entry.order.order_id] = entry.order
        yield _Outcome(replace(entry, refused=refused), first)


def _accept(
    connection: Connection, entry: Entry, at: datetime
) -> tuple[str | None, StoredChange | None]:
    """Store an entry; return the reason if it is refused, and its first status if it is new."""
    if entry.order is None:
        if entry.order_id is None:
            return Reason.INVALID.value, None
        invalid = Invalid.of(entry.data, entry.detail)
        return Reason.INVALID.value, reject_within(connection, entry.order_id, invalid, at).stored
    try:
        accepted = accept_within(connection, entry.order, at)
    except OtherContent:
        return OTHER_CONTENT, None
    except IdTaken as error:
        taken = Invalid.taken(entry.order)
        return taken.reason.value, reject_within(connection, error.order_id, taken, at).stored
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


def conclude_within(
    connection: Connection, batch_id: str, at: datetime
) -> BatchStatusChanged | None:
    """Do what `BatchStore.conclude` does, as a part of a transaction."""
    row = row_of(connection, batch_id)
    if row is None:
        return None
    sums = counted(connection, [batch_id]).get(batch_id, [])
    if row.ended_at is not None:
        return summary(row, sums)
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
    return None if ended is None else summary(ended, sums)


def unfinished_orders(connection: Connection, batch_id: str) -> list[str]:
    """Return the unfinished orders that the batch runs."""
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


def row_of(connection: Connection, batch_id: str) -> Any | None:
    """Return the row of a batch, or None."""
    return connection.execute(select(BATCHES).where(BATCHES.c.batch_id == batch_id)).one_or_none()
