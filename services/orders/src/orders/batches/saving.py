"""Stores a batch with its orders and rejections, as a part of a transaction."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, insert, select

from orderflow_contracts.batches import BatchStatus
from orders.batches.changes import row_of
from orders.batches.records import Entry, OtherBatchContent, StoredBatch, run_id_of
from orders.ordering.changes import accept_within
from orders.ordering.records import IdTaken, Invalid, OtherContent, StoredChange
from orders.ordering.rejecting import reject_within
from orders.tables import BATCH_ORDERS, BATCHES

OTHER_CONTENT: Final = "other_content"


def save_within(
    connection: Connection, batch_id: str, digest: str, entries: Sequence[Entry], at: datetime
) -> StoredBatch:
    """Do what `BatchStore.save` does, as a part of a transaction."""
    known = row_of(connection, batch_id)
    if known is not None and known.digest != digest:
        raise OtherBatchContent(batch_id)
    if known is not None:
        again = list(_refuse_again(connection, batch_id, entries, at))
        return StoredBatch(
            is_new=False,
            status=BatchStatus(known.status),
            is_stopped=known.reason is not None,
            refused=[each.entry for each in again],
            first=[each.first for each in again if each.first is not None],
        )
    status = BatchStatus.RECEIVED
    connection.execute(
        insert(BATCHES).values(batch_id=batch_id, digest=digest, status=status.value, created_at=at)
    )
    outcomes = list(_accept_orders(connection, batch_id, entries, at))
    rows = [
        {
            "batch_id": batch_id,
            "number": each.entry.number,
            "order_id": each.entry.order_id,
            "refused": each.entry.refused,
            "detail": each.entry.detail,
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
    """An entry, refused or not, and the first status of an order that is new."""

    entry: Entry
    first: StoredChange | None = None


def _accept_orders(
    connection: Connection, batch_id: str, entries: Sequence[Entry], at: datetime
) -> Iterator[_Outcome]:
    """Accept the orders of a batch; an order that it repeats is left out."""
    accepted: dict[str, Entry] = {}
    for entry in entries:
        earlier = accepted.get(entry.order_id or "")
        if entry.order is None or earlier is None or earlier.order is None:
            outcome = _accept(connection, batch_id, entry, at)
        elif entry.order.same_content_as(earlier.order):
            continue
        else:
            outcome = _with_other_content(entry, f"Entry {earlier.number} of this batch")
        if outcome.entry.refused is None:
            accepted[entry.order_id or ""] = entry
        yield outcome


def _accept(connection: Connection, batch_id: str, entry: Entry, at: datetime) -> _Outcome:
    """Store the order in an entry, or the rejection of one whose id can be read."""
    if entry.order is None:
        return _reject(connection, entry, _invalid(entry), at)
    try:
        run_id = run_id_of(batch_id, entry.order.order_id)
        accepted = accept_within(connection, entry.order, run_id, at)
    except OtherContent:
        return _with_other_content(entry, "An order")
    except IdTaken:
        return _reject(connection, entry, _invalid(entry), at)
    return _Outcome(entry, accepted.first if accepted.is_new else None)


def _invalid(entry: Entry) -> Invalid:
    if entry.order is None:
        return Invalid.of(entry.data, entry.detail)
    return Invalid.taken(entry.order)


def _reject(connection: Connection, entry: Entry, invalid: Invalid, at: datetime) -> _Outcome:
    refused = replace(entry, refused=invalid.reason.value, detail=invalid.detail)
    if entry.order_id is None:
        return _Outcome(refused)
    return _Outcome(refused, reject_within(connection, entry.order_id, invalid, at).stored)


def _with_other_content(entry: Entry, what: str) -> _Outcome:
    detail = f"{what} has the same ID, and other content. Submit this order with an ID of its own."
    return _Outcome(replace(entry, refused=OTHER_CONTENT, detail=detail))


def _refuse_again(
    connection: Connection, batch_id: str, entries: Sequence[Entry], at: datetime
) -> Iterator[_Outcome]:
    """Return the entries refused before, with their rejections, which may not be published yet."""
    query = select(BATCH_ORDERS.c.number, BATCH_ORDERS.c.refused).where(
        BATCH_ORDERS.c.batch_id == batch_id, BATCH_ORDERS.c.refused.is_not(None)
    )
    refused = {row.number: row.refused for row in connection.execute(query)}
    for entry in entries:
        if refused.get(entry.number) == OTHER_CONTENT:
            yield _Outcome(replace(entry, refused=OTHER_CONTENT))
        elif entry.number in refused:
            yield _reject(connection, entry, _invalid(entry), at)
