"""Names the orders of events that do not name one themselves.

The id of such an event becomes the order's id, unless it does not have the form of one or already
stands for something else: for an order that an event of another source named, or for one that was
placed under this id, by an explicit `order_id`. Then the order's id is derived from the event's
source and id.

Redeliveries find the same order, because an order remembers which event named it, as `event_key`,
and because orders are never removed: what an id stood for when an event was first delivered, it
stands for ever after. Who decides and who stores the order do so in one transaction.

There are two cases in between. An id under which only refused orders were placed is free, so an
event may take it. And it is not known what named an order that an earlier version stored: an event
with its id counts as the one that did.
"""

from dataclasses import dataclass
from functools import cached_property

from sqlalchemy import Connection, bindparam, select

from orderflow_contracts.fields import readable_order_id
from orderflow_contracts.order_ids import id_of_event
from orderflow_contracts.orders import REFUSALS, OrderStatus
from orders.tables import NOT_RECORDED, ORDERS

_SELECT_NAMED = select(ORDERS.c.status, ORDERS.c.reason, ORDERS.c.event_key).where(
    ORDERS.c.order_id == bindparam("order_id")
)


@dataclass(frozen=True)
class NamingEvent:
    """An event without an `order_id`, which names its order by its source and id."""

    source: str
    id: str

    @cached_property
    def key(self) -> str:
        """The derived order id, which identifies the event, too."""
        return id_of_event(self.source, self.id)


def name_within(connection: Connection, event: NamingEvent) -> str:
    """Return the id of the event's order, as a part of the transaction that stores it."""
    if readable_order_id({"order_id": event.id}) is None:
        return event.key
    known = connection.execute(_SELECT_NAMED, {"order_id": event.id}).one_or_none()
    if known is None or known.event_key in {event.key, NOT_RECORDED}:
        return event.id
    was_placed = known.event_key is None
    is_free = was_placed and is_refused(known.status, known.reason)
    return event.id if is_free else event.key


def is_refused(status: str, reason: str | None) -> bool:
    """Whether an order with this status is known from refused submissions alone."""
    return status == OrderStatus.REJECTED and reason in REFUSALS
