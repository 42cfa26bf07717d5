"""The messages that orders publishes; their ids let a consumer recognise a repeated delivery."""

from pydantic import BaseModel

from orderflow_contracts import names
from orderflow_contracts.approvals import ApprovalRequested, ApprovalWithdrawn
from orderflow_contracts.batches import BatchStatusChanged
from orderflow_contracts.inventory import LowStock
from orderflow_contracts.orders import OrderStatusChanged
from orderflow_hosting.outbox import Message, message


def status_changed(change: OrderStatusChanged) -> Message:
    """Return the message on `orders.status`."""
    return _message(names.ORDERS_STATUS, change, change.order_id, change.event_id)


def approval_requested(request: ApprovalRequested) -> Message:
    """Return the message on `approvals.requested`; a reminder has an event id of its own."""
    part = ".reminder" if request.reminder else ""
    return _about_order(names.APPROVALS_REQUESTED, request.order_id, request, part)


def approval_withdrawn(withdrawal: ApprovalWithdrawn) -> Message:
    """Return the message on `approvals.withdrawn`."""
    return _about_order(names.APPROVALS_WITHDRAWN, withdrawal.order_id, withdrawal)


def stock_is_low(low: LowStock, event_id: str) -> Message:
    """Return the message on `inventory.low-stock`."""
    return _message(names.INVENTORY_LOW_STOCK, low, low.item, event_id)


def batch_ended(batch: BatchStatusChanged) -> Message:
    """Return the message on `orders.batch-status`."""
    return _message(names.ORDERS_BATCH_STATUS, batch, batch.batch_id, batch.event_id)


def _about_order(topic: str, order_id: str, data: BaseModel, part: str = "") -> Message:
    return _message(topic, data, order_id, f"{order_id}.{topic.partition('.')[2]}{part}")


def _message(topic: str, data: BaseModel, subject: str, event_id: str) -> Message:
    return message(topic, data, app_id=names.ORDERS, subject=subject, event_id=event_id)
