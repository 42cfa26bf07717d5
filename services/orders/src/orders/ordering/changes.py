"""Changes of an order, each a part of a transaction."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    Connection,
    and_,
    bindparam,
    func,
    insert,
    select,
    update,
)

from orderflow_contracts.orders import (
    OrderStatus,
    OrderStatusChanged,
    OrderSubmitted,
    Reason,
)
from orderflow_hosting.outbox import Message, add_within
from orderflow_hosting.spellings import record_spellings
from orders.ordering.naming import NamingEvent, name_within
from orders.ordering.records import (
    BEFORE_CHARGE,
    REFUSED,
    UNDO_RUN_PREFIX,
    Accepted,
    Compensation,
    OtherContent,
    Record,
    StoredChange,
    new_run_id,
    undoes,
)
from orders.ordering.rows import columns_of, stored_change, submitted
from orders.ordering.started_instances import check_free_within
from orders.outgoing import status_changed
from orders.saved_histories import Replaced, save_within
from orders.tables import CUSTOMER, ITEM, ORDERS, STATUSES

SELECT_ORDER = select(ORDERS).where(ORDERS.c.order_id == bindparam("order_id"))


_SELECT_WITH_STATUS = (
    select(
        ORDERS.c.order_id,
        ORDERS.c.customer_id,
        ORDERS.c.lines,
        ORDERS.c.details,
        ORDERS.c.run_id,
        ORDERS.c.created_at,
        ORDERS.c.cancel_requested_at,
        ORDERS.c.charge_sent_at,
        ORDERS.c.compensation,
        ORDERS.c.status.label("current_status"),
        ORDERS.c.sequence.label("current_sequence"),
        STATUSES.c.position,
        STATUSES.c.sequence,
        STATUSES.c.status,
        STATUSES.c.reason,
        STATUSES.c.detail,
        STATUSES.c.total_cents,
        STATUSES.c.at,
        STATUSES.c.in_outbox,
    )
    .select_from(
        ORDERS.outerjoin(
            STATUSES,
            and_(
                STATUSES.c.order_id == ORDERS.c.order_id,
                STATUSES.c.status == bindparam("status"),
                func.coalesce(STATUSES.c.reason, "").not_in(REFUSED),
            ),
        )
    )
    .where(ORDERS.c.order_id == bindparam("order_id"))
)
"""An order together with its entry for one status, whose columns are None without one.

The rejection of a submission is left out: it is not a status of an accepted order.
"""


_UNDONE = frozenset({OrderStatus.REJECTED, OrderStatus.FAILED, OrderStatus.NEEDS_ATTENTION})
"""The ends of orders that were rolled back; one that was cancelled before ends as cancelled."""


_INSERT_ORDER = insert(ORDERS)


_INSERT_STATUS = insert(STATUSES)


_SELECT_NOT_PROMISED = (
    select(STATUSES)
    .where(STATUSES.c.order_id == bindparam("order_id"), STATUSES.c.in_outbox.is_(None))
    .order_by(STATUSES.c.sequence)
)


_PROMISE = (
    update(STATUSES).where(STATUSES.c.position == bindparam("at_position")).values(in_outbox=True)
)


_MOVE_ON = (
    update(ORDERS)
    .where(ORDERS.c.order_id == bindparam("key"))
    .values(
        status=bindparam("status"),
        reason=bindparam("reason"),
        detail=bindparam("detail"),
        total_cents=bindparam("total_cents"),
        sequence=bindparam("sequence"),
        run_id=bindparam("run_id"),
        compensation=bindparam("compensation"),
        updated_at=bindparam("updated_at"),
    )
)


_HAND_OVER = (
    update(ORDERS).where(ORDERS.c.order_id == bindparam("key")).values(run_id=bindparam("run_id"))
)


def accept_within(
    connection: Connection,
    order: OrderSubmitted,
    run_id: str,
    at: datetime,
    event: NamingEvent | None = None,
) -> Accepted:
    """Do what `OrderStore.accept` does, as a part of a larger transaction."""
    if event is not None:
        order = order.model_copy(update={"order_id": name_within(connection, event)})
    known = _with_status(connection, order.order_id, OrderStatus.RECEIVED)
    if known is None or known.at is None:
        check_free_within(connection, order.order_id)
    if known is None:
        columns = {**columns_of(order), "event_key": event and event.key, "run_id": run_id}
        first = create(connection, columns, OrderStatus.RECEIVED, None, None, at)
    elif known.at is None:
        first = _continue(connection, order, run_id, known.current_sequence + 1, at, event)
    elif order.same_content_as(submitted(known)):
        return Accepted(
            is_new=False,
            order=order,
            first=stored_change(known),
            status=OrderStatus(known.current_status),
            run_id=known.run_id,
        )
    else:
        raise OtherContent(order.order_id)
    return Accepted(
        is_new=True, order=order, first=first, status=OrderStatus.RECEIVED, run_id=run_id
    )


def create(
    connection: Connection,
    columns: dict[str, Any],
    status: OrderStatus,
    reason: str | None,
    detail: str | None,
    at: datetime,
) -> StoredChange:
    """Store a new order with its first status."""
    order_id = columns["order_id"]
    change = OrderStatusChanged(
        order_id=order_id, sequence=1, status=status, reason=reason, detail=detail, at=at
    )
    connection.execute(
        _INSERT_ORDER,
        {
            **columns,
            "status": status.value,
            "reason": reason,
            "detail": detail,
            "sequence": 1,
            "created_at": change.at,
            "updated_at": change.at,
        },
    )
    _record_spellings(connection, columns)
    return append_within(connection, change)


def _continue(
    connection: Connection,
    order: OrderSubmitted,
    run_id: str,
    sequence: int,
    at: datetime,
    event: NamingEvent | None,
) -> StoredChange:
    """Store the first accepted submission of an order that is known from refused ones.

    The order keeps its number and the time at which it was first known, by which lists are sorted.
    """
    change = OrderStatusChanged(
        order_id=order.order_id, sequence=sequence, status=OrderStatus.RECEIVED, at=at
    )
    columns = columns_of(order)
    connection.execute(
        update(ORDERS)
        .where(ORDERS.c.order_id == order.order_id)
        .values(
            **columns,
            **({} if event is None else {"event_key": event.key}),
            run_id=run_id,
            status=change.status.value,
            reason=None,
            detail=None,
            sequence=sequence,
            updated_at=change.at,
        )
    )
    _record_spellings(connection, columns)
    return append_within(connection, change)


def _record_spellings(connection: Connection, columns: dict[str, Any]) -> None:
    record_spellings(connection, CUSTOMER, columns["customer_id"])
    record_spellings(connection, ITEM, *(line["item"] for line in columns["lines"]))


def record_within(
    connection: Connection,
    order_id: str,
    run_id: str,
    status: OrderStatus,
    reason: str | None,
    detail: str | None,
    total_cents: int | None,
    at: datetime,
    *,
    along: Sequence[Message] = (),
) -> Record | None:
    """Do what `OrderStore.record` does, as a part of a larger transaction."""
    known = _with_status(connection, order_id, status)
    if known is None or known.run_id not in {None, run_id}:
        return None
    cancelled = known.cancel_requested_at is not None
    if _is_cancelled_early(known):
        _conclude_compensation(connection, known, status)
        return Record(None, cancelled)
    if known.at is not None:
        if known.sequence == known.current_sequence:
            promise_within(connection, known)
        add_within(connection, *along)  # a run that replaces a lost one asks for them again
        return Record(stored_change(known), cancelled)
    if OrderStatus(known.current_status).is_final:
        return None
    compensation = None
    if (
        cancelled
        and status in _UNDONE
        and is_before_charge(known.current_status, known.charge_sent_at)
    ):
        if status is OrderStatus.NEEDS_ATTENTION:
            compensation = Compensation.FAILED.value
        status, reason, detail = OrderStatus.CANCELLED, Reason.CANCELLED_ON_REQUEST, None
    change = OrderStatusChanged(
        order_id=order_id,
        sequence=known.current_sequence + 1,
        status=status,
        reason=reason,
        detail=detail,
        total_cents=total_cents,
        at=at,
    )
    stored = append_within(connection, change)
    add_within(connection, *along)
    connection.execute(
        _MOVE_ON,
        {
            "key": order_id,
            "status": status.value,
            "reason": reason,
            "detail": detail,
            "total_cents": total_cents,
            "sequence": change.sequence,
            "run_id": run_id,
            "compensation": compensation,
            "updated_at": change.at,
        },
    )
    return Record(stored, cancelled)


def is_before_charge(status: str, charge_sent_at: datetime | None) -> bool:
    """Whether nothing is charged, and no charge was sent that may still be made."""
    return status in BEFORE_CHARGE and charge_sent_at is None


def _is_cancelled_early(known: Any) -> bool:
    """Whether the order was cancelled while a step was running, unless its run ended it."""
    if known.compensation is not None:
        return True
    was_cancelled = known.current_status == OrderStatus.CANCELLED
    return was_cancelled and known.cancel_requested_at is not None and known.at is None


def _conclude_compensation(connection: Connection, known: Any, status: OrderStatus) -> None:
    """Record how the compensation of a cancelled order ended, if its run has come to its end."""
    if status.is_final and known.compensation == Compensation.OUTSTANDING:
        has_failed = status is OrderStatus.NEEDS_ATTENTION
        left = Compensation.FAILED.value if has_failed else None
        of_order = update(ORDERS).where(ORDERS.c.order_id == known.order_id)
        connection.execute(of_order.values(compensation=left))


def is_promised_within(connection: Connection, order_id: str) -> bool:
    """Whether every status of an order was written to the outbox."""
    return connection.execute(_SELECT_NOT_PROMISED, {"order_id": order_id}).first() is None


def promise_first_within(connection: Connection, order_id: str) -> None:
    """Do what `OrderStore.promise_first` does, as a part of a larger transaction."""
    for recorded in connection.execute(_SELECT_NOT_PROMISED, {"order_id": order_id}).all():
        promise_within(connection, recorded)
        if recorded.status == OrderStatus.RECEIVED:
            return


def hand_to_undo_within(connection: Connection, order_id: str) -> str | None:
    """Do what `OrderStore.hand_to_undo` does, as a part of a larger transaction."""
    row = connection.execute(SELECT_ORDER, {"order_id": order_id}).one_or_none()
    if row is None:
        return None
    is_left = row.compensation == Compensation.OUTSTANDING
    if OrderStatus(row.status).is_final and not is_left:
        return None
    if undoes(row.run_id):
        return str(row.run_id)
    run_id = f"{UNDO_RUN_PREFIX}{new_run_id()[len(UNDO_RUN_PREFIX) :]}"
    connection.execute(_HAND_OVER, {"key": order_id, "run_id": run_id})
    return run_id


def begin_again_within(
    connection: Connection,
    order_id: str,
    former: str | None,
    run_id: str,
    replaced: Replaced,
    at: datetime,
) -> bool:
    """Do what `OrderStore.begin_again` does, as a part of a larger transaction."""
    row = connection.execute(SELECT_ORDER, {"order_id": order_id}).one_or_none()
    if row is None or OrderStatus(row.status).is_final or row.run_id != former:
        return False
    save_within(connection, order_id, former, replaced, at)
    connection.execute(_HAND_OVER, {"key": order_id, "run_id": run_id})
    return True


def promise_within(connection: Connection, recorded: Any) -> None:
    """Write a recorded status to the outbox unless it was.

    A version without an outbox recorded it. Whether that version also published it is not known.
    """
    if recorded.in_outbox:
        return
    stored = stored_change(recorded)
    connection.execute(_PROMISE, {"at_position": stored.position})
    add_within(connection, status_changed(stored.change))


def append_within(connection: Connection, change: OrderStatusChanged) -> StoredChange:
    """Add a status to an order's history, and promise to publish it."""
    result = connection.execute(
        _INSERT_STATUS,
        {
            "order_id": change.order_id,
            "sequence": change.sequence,
            "status": change.status.value,
            "reason": change.reason,
            "detail": change.detail,
            "total_cents": change.total_cents,
            "at": change.at,
            "in_outbox": True,
        },
    )
    add_within(connection, status_changed(change))
    (position,) = result.inserted_primary_key or (0,)
    return StoredChange(position, change)


def _with_status(connection: Connection, order_id: str, status: OrderStatus) -> Any | None:
    return connection.execute(
        _SELECT_WITH_STATUS, {"order_id": order_id, "status": status.value}
    ).one_or_none()
