"""What the doctor asks of other services."""

from typing import Protocol

from orderflow_contracts.approvals import Requests, RequestsWanted
from orderflow_contracts.inventory import Reservations, ReservationsWanted, Stock


class Reserving(Protocol):
    """Inventory, as the doctor asks it."""

    async def reservations(self, wanted: ReservationsWanted) -> Reservations:
        """Return the reservations of certain orders, or a page of all that are open."""
        ...

    async def release(self, order_id: str) -> None:
        """Release whatever an order has reserved."""
        ...

    async def stock(self) -> Stock:
        """Return the stock levels."""
        ...


class Approving(Protocol):
    """Approvals, as the doctor asks it."""

    async def requests(self, wanted: RequestsWanted) -> Requests:
        """Return certain requests, or a page of all that are pending."""
        ...
