"""What orders needs of the world outside, in its own words."""

from typing import Any, ClassVar, Protocol

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
from orderflow_hosting.problems import Unavailable
from orders.instances import HistoryEvent, Instance


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


class AlreadyRunning(Exception):
    """A workflow with this id is active."""


class NoSuchInstance(Exception):
    """The engine knows no workflow with this id."""


class EngineUnavailable(Unavailable):
    """The engine did not answer; whether it did what was asked is not known."""

    code: ClassVar = "SIDECAR_UNAVAILABLE"
    detail: ClassVar = "the workflow engine does not answer at the moment"


class CannotRerun(Exception):
    """The engine cannot run an instance again from the event that was named."""


class Engine(Protocol):
    """What taking orders in needs of the workflow engine."""

    async def start(self, workflow: str, instance_id: str, payload: Any) -> None:
        """Start a workflow. Raises `AlreadyRunning` or `EngineUnavailable`."""
        ...

    async def instance(self, instance_id: str, *, payloads: bool = True) -> Instance | None:
        """Read an instance; None when there is none. Raises `EngineUnavailable`."""
        ...

    async def raise_event(self, instance_id: str, event: str, payload: Any) -> None:
        """Hand an event to an instance, which keeps it until it waits for it.

        Raises `NoSuchInstance` or `EngineUnavailable`.
        """
        ...


class ManagedEngine(Engine, Protocol):
    """What managing workflows needs besides. All raise `EngineUnavailable` and `NoSuchInstance`."""

    async def pause(self, instance_id: str) -> None:
        """Suspend an instance."""
        ...

    async def resume(self, instance_id: str) -> None:
        """Resume a suspended instance."""
        ...

    async def terminate(self, instance_id: str, output: Any = None) -> None:
        """End an instance and its children."""
        ...

    async def purge(self, instance_id: str) -> None:
        """Forget a finished instance and its children."""
        ...

    async def rerun(
        self, instance_id: str, event_id: int, new_instance_id: str | None, payload: Any = ...
    ) -> str:
        """Run a finished instance again from an event on; return the new id.

        Raises `CannotRerun` and `AlreadyRunning`.
        """
        ...

    async def finished(self, instance_id: str) -> Instance | None:
        """Wait until an instance has finished."""
        ...

    async def ids(self, limit: int, token: str | None) -> tuple[list[str], str | None]:
        """List instance ids page by page."""
        ...

    async def history(self, instance_id: str) -> list[HistoryEvent]:
        """Read what happened to an instance, oldest first."""
        ...
