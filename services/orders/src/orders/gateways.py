"""Implements the ports with Dapr."""

from pydantic import BaseModel

from orderflow_contracts import names
from orderflow_contracts.approvals import Approval, Requests, RequestsWanted
from orderflow_contracts.inventory import (
    RESERVE_REPLY,
    CommitRequest,
    Committed,
    ReleaseRequest,
    ReservationRejected,
    Reservations,
    ReservationsWanted,
    Reserved,
    ReserveRequest,
    RestockRequest,
    Stock,
)
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

    async def reservations(self, wanted: ReservationsWanted) -> Reservations:
        """Invoke `reservations`."""
        reply = await self._sidecar.invoke(names.INVENTORY, names.RESERVATIONS, wanted)
        return Reservations.model_validate_json(reply)

    async def restock(self, request: RestockRequest) -> Stock:
        """Invoke `restock`."""
        reply = await self._sidecar.invoke(names.INVENTORY, names.RESTOCK, request)
        return Stock.model_validate_json(reply)


class DaprApprovals:
    """The application `approvals`, invoked through Dapr."""

    def __init__(self, sidecar: Sidecar) -> None:
        self._sidecar = sidecar

    async def request(self, order_id: str) -> Approval | None:
        """Invoke `requests` for one order."""
        found = await self.requests(RequestsWanted(order_ids=(order_id,)))
        return found.requests[0] if found.requests else None

    async def requests(self, wanted: RequestsWanted) -> Requests:
        """Invoke `requests`."""
        reply = await self._sidecar.invoke(names.APPROVALS, names.REQUESTS, wanted)
        return Requests.model_validate_json(reply)
