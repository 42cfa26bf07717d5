"""The ports of orders: inventory and the events that orders publishes."""

from typing import Protocol

from orderflow_contracts.approvals import ApprovalRequested, ApprovalWithdrawn
from orderflow_contracts.batches import BatchStatusChanged
from orderflow_contracts.inventory import (
    Committed,
    LowStock,
    ReservationRejected,
    Reserved,
    ReserveRequest,
    Stock,
)
from orderflow_contracts.orders import OrderStatusChanged


class Inventory(Protocol):
    """The service that owns the stock."""

    async def reserve(self, request: ReserveRequest) -> Reserved | ReservationRejected:
        """Reserve an order's lines, all or none."""
        ...

    async def commit(self, order_id: str) -> Committed:
        """Ship an order's reserved stock."""
        ...

    async def release(self, order_id: str) -> None:
        """Release whatever an order has reserved."""
        ...

    async def stock(self) -> Stock:
        """Return the stock levels."""
        ...


class Publisher(Protocol):
    """Publishes events. Each may arrive twice, with the same id."""

    async def status_changed(self, change: OrderStatusChanged) -> None:
        """Publish an order's new status."""
        ...

    async def approval_requested(self, request: ApprovalRequested) -> None:
        """Request a decision from approvals."""
        ...

    async def approval_withdrawn(self, withdrawal: ApprovalWithdrawn) -> None:
        """Withdraw a request for a decision."""
        ...

    async def stock_is_low(self, low: LowStock, event_id: str) -> None:
        """Publish that an item is low in stock."""
        ...

    async def batch_ended(self, batch: BatchStatusChanged) -> None:
        """Publish the result of a batch."""
        ...
