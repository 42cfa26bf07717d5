"""Stores the rejection of a submission, as a part of a transaction."""

from datetime import datetime

from sqlalchemy import Connection, bindparam, select, update

from orderflow_contracts.orders import OrderStatus
from orderflow_hosting.outbox import add_within
from orders.ordering.changes import SELECT_ORDER, create
from orders.ordering.naming import NamingEvent, is_refused, name_within
from orders.ordering.records import REFUSED, Invalid, Rejected
from orders.ordering.rows import stored_change
from orders.outgoing import status_changed
from orders.tables import ORDERS, STATUSES

_SELECT_REJECTION = select(STATUSES).where(
    STATUSES.c.order_id == bindparam("order_id"), STATUSES.c.reason.in_(REFUSED)
)


def reject_within(
    connection: Connection,
    order_id: str,
    invalid: Invalid,
    at: datetime,
    event: NamingEvent | None = None,
) -> Rejected:
    """Do what `OrderStore.reject_invalid` does, as a part of a larger transaction."""
    if event is not None:
        order_id = name_within(connection, event)
    known = connection.execute(SELECT_ORDER, {"order_id": order_id}).one_or_none()
    if known is None:
        columns = {
            "order_id": order_id,
            "customer_id": invalid.customer_id,
            "lines": [line.model_dump(mode="json") for line in invalid.lines],
            "event_key": event and event.key,
        }
        rejection = (OrderStatus.REJECTED, invalid.reason.value, invalid.detail)
        return Rejected(order_id, create(connection, columns, *rejection, at))
    if not is_refused(known.status, known.reason):
        return Rejected(order_id, None)
    if event is not None and known.event_key != event.key:
        taken = update(ORDERS).where(ORDERS.c.order_id == order_id)
        connection.execute(taken.values(event_key=event.key))
    first = connection.execute(_SELECT_REJECTION, {"order_id": order_id}).one()
    stored = stored_change(first)
    add_within(connection, status_changed(stored.change))  # the answer to this submission
    return Rejected(order_id, stored)
