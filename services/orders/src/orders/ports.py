"""What orders needs of the world outside, in its own words."""

from typing import Protocol

from pydantic import BaseModel

from orderflow_contracts.approvals import ApprovalRequested, ApprovalWithdrawn
from orderflow_contracts.inventory import Committed, ReservationRejected, Reserved, ReserveRequest
from orderflow_contracts.orders import OrderStatusChanged
from orderflow_hosting.retrying import Unavailable


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


class AlreadyRunning(Exception):
    """A workflow with this id is active."""


class NoSuchInstance(Exception):
    """The engine knows no workflow with this id."""


class EngineUnavailable(Unavailable):
    """The engine did not answer; whether it did what was asked is not known."""


class Engine(Protocol):
    """The workflow engine."""

    async def start(self, workflow: str, instance_id: str, payload: BaseModel) -> None:
        """Start a workflow. Raises `AlreadyRunning` or `EngineUnavailable`."""
        ...

    async def knows(self, instance_id: str) -> bool:
        """Tell whether there is an instance with this id. Raises `EngineUnavailable`."""
        ...

    async def raise_event(self, instance_id: str, event: str, payload: BaseModel | None) -> None:
        """Hand an event to an instance, which keeps it until it waits for it.

        Raises `NoSuchInstance` or `EngineUnavailable`.
        """
        ...
