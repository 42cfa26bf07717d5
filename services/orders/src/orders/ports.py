"""The ports of orders: inventory and approvals."""

from typing import Protocol

from orderflow_contracts.approvals import Approval
from orderflow_contracts.inventory import (
    Committed,
    ReservationRejected,
    Reserved,
    ReserveRequest,
    Stock,
)


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


class Approvals(Protocol):
    """The service that has the requests for approval, and the decisions on record."""

    async def request(self, order_id: str) -> Approval | None:
        """Return what is on record about an order; None if no approval was requested."""
        ...
