"""Implements the ports with Dapr."""

from pydantic import BaseModel

from orderflow_contracts import names
from orderflow_contracts.approvals import ApprovalRequested, ApprovalWithdrawn
from orderflow_contracts.batches import BatchStatusChanged
from orderflow_contracts.inventory import (
    RESERVE_REPLY,
    CommitRequest,
    Committed,
    LowStock,
    ReleaseRequest,
    ReservationRejected,
    Reserved,
    ReserveRequest,
    RestockRequest,
    Stock,
)
from orderflow_contracts.orders import OrderStatusChanged
from orderflow_hosting.sidecar import Sidecar


class _Nothing(BaseModel):
    """A request without content."""


class DaprInventory:
    """The application `inventory`, invoked through Dapr."""

    def __init__(self, sidecar: Sidecar) -> None:
        self._sidecar = sidecar

    async def reserve(self, request: ReserveRequest) -> Reserved | ReservationRejected:
        """Invoke `reserve`."""
        reply = await self._sidecar.invoke(names.INVENTORY, names.RESERVE, request)
        return RESERVE_REPLY.validate_json(reply)

    async def commit(self, order_id: str) -> Committed:
        """Invoke `commit`."""
        request = CommitRequest(order_id=order_id)
        reply = await self._sidecar.invoke(names.INVENTORY, names.COMMIT, request)
        return Committed.model_validate_json(reply)

    async def release(self, order_id: str) -> None:
        """Invoke `release`."""
        request = ReleaseRequest(order_id=order_id)
        await self._sidecar.invoke(names.INVENTORY, names.RELEASE, request)

    async def stock(self) -> Stock:
        """Invoke `stock`."""
        reply = await self._sidecar.invoke(names.INVENTORY, names.STOCK, _Nothing())
        return Stock.model_validate_json(reply)

    async def restock(self, request: RestockRequest) -> Stock:
        """Invoke `restock`."""
        reply = await self._sidecar.invoke(names.INVENTORY, names.RESTOCK, request)
        return Stock.model_validate_json(reply)


class DaprPublisher:
    """Publishes CloudEvents whose ids let a consumer recognise a repeated delivery."""

    def __init__(self, sidecar: Sidecar) -> None:
        self._sidecar = sidecar

    async def status_changed(self, change: OrderStatusChanged) -> None:
        """Publish on `orders.status`."""
        await self._sidecar.publish(
            names.ORDERS_STATUS, change, subject=change.order_id, event_id=change.event_id
        )

    async def approval_requested(self, request: ApprovalRequested) -> None:
        """Publish on `approvals.requested`; a reminder has an event id of its own."""
        part = ".reminder" if request.reminder else ""
        await self._publish(names.APPROVALS_REQUESTED, request.order_id, request, part)

    async def approval_withdrawn(self, withdrawal: ApprovalWithdrawn) -> None:
        """Publish on `approvals.withdrawn`."""
        await self._publish(names.APPROVALS_WITHDRAWN, withdrawal.order_id, withdrawal)

    async def stock_is_low(self, low: LowStock, event_id: str) -> None:
        """Publish on `inventory.low-stock`."""
        await self._sidecar.publish(
            names.INVENTORY_LOW_STOCK, low, subject=low.item, event_id=event_id
        )

    async def batch_ended(self, batch: BatchStatusChanged) -> None:
        """Publish on `orders.batch-status`."""
        await self._sidecar.publish(
            names.ORDERS_BATCH_STATUS, batch, subject=batch.batch_id, event_id=batch.event_id
        )

    async def _publish(self, topic: str, order_id: str, message: BaseModel, part: str = "") -> None:
        event_id = f"{order_id}.{topic.partition('.')[2]}{part}"
        await self._sidecar.publish(topic, message, subject=order_id, event_id=event_id)
