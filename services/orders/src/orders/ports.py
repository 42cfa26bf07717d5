"""What orders needs of the world outside, in its own words."""

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
        """Set an order's lines aside, all or none."""
        ...

    async def commit(self, order_id: str) -> Committed:
        """Let an order's goods leave the shelf."""
        ...

    async def release(self, order_id: str) -> None:
        """Give back whatever an order holds."""
        ...

    async def stock(self) -> Stock:
        """Tell what lies on the shelf."""
        ...


class Announcer(Protocol):
    """Tells others what happened; each event may arrive twice, under the same id."""

    async def status_changed(self, change: OrderStatusChanged) -> None:
        """Tell anyone that an order went one step on."""
        ...

    async def approval_requested(self, request: ApprovalRequested) -> None:
        """Ask approvals for a decision."""
        ...

    async def approval_withdrawn(self, withdrawal: ApprovalWithdrawn) -> None:
        """Tell approvals that no decision is waited for any more."""
        ...

    async def stock_is_low(self, low: LowStock, event_id: str) -> None:
        """Tell anyone that little is left of an item."""
        ...

    async def batch_ended(self, batch: BatchStatusChanged) -> None:
        """Tell anyone what came of a batch."""
        ...
