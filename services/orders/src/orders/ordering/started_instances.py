"""Decides between orders and the workflow instances that the management API starts.

An order's id is the id of its workflow instance, so the two may never be the same. Each side stores
its id in one transaction with the check of the other, before the engine is asked to start anything:
the engine decides nothing, and need not answer.
"""

from datetime import datetime

from sqlalchemy import Connection, Delete, bindparam, delete, exists, func, insert, select

from orderflow_contracts.orders import Reason
from orders.ordering.records import IdOfOrder, IdTaken
from orders.tables import ORDERS, STARTED_INSTANCES

_IS_STARTED = select(exists().where(STARTED_INSTANCES.c.instance_id == bindparam("order_id")))

_IS_OF_ORDER = select(
    exists().where(
        ORDERS.c.order_id == bindparam("order_id"),
        func.coalesce(ORDERS.c.reason, "") != Reason.ID_TAKEN.value,
    )
)
"""Whether an order has the id; one that was rejected because the id is taken never had it."""


def check_free_within(connection: Connection, order_id: str) -> None:
    """Raise `IdTaken` if the id belongs to an instance that the management API started."""
    if connection.scalar(_IS_STARTED, {"order_id": order_id}):
        raise IdTaken(order_id)


def check_no_order_within(connection: Connection, instance_id: str) -> None:
    """Raise `IdOfOrder` if the id belongs to an order."""
    if connection.scalar(_IS_OF_ORDER, {"order_id": instance_id}):
        raise IdOfOrder(instance_id)


def record_start_within(connection: Connection, instance_id: str, at: datetime) -> None:
    """Do what `OrderStore.record_start` does, as a part of a transaction."""
    check_no_order_within(connection, instance_id)
    connection.execute(_forget(instance_id))
    connection.execute(insert(STARTED_INSTANCES).values(instance_id=instance_id, started_at=at))


def forget_start_within(connection: Connection, instance_id: str, until: datetime) -> None:
    """Do what `OrderStore.forget_start` does, as a part of a transaction."""
    was_before = STARTED_INSTANCES.c.started_at <= until
    connection.execute(_forget(instance_id).where(was_before))


def started_until(connection: Connection, until: datetime) -> list[str]:
    """Return the ids of the instances that were started until then, oldest first."""
    query = (
        select(STARTED_INSTANCES.c.instance_id)
        .where(STARTED_INSTANCES.c.started_at <= until)
        .order_by(STARTED_INSTANCES.c.started_at)
    )
    return list(connection.scalars(query))


def _forget(instance_id: str) -> Delete:
    return delete(STARTED_INSTANCES).where(STARTED_INSTANCES.c.instance_id == instance_id)
