"""The ports of orders, in memory."""

from collections import defaultdict, deque
from collections.abc import Iterable
from typing import Any, TypeVar

from pydantic import BaseModel

from fakes.memory_store import MemoryStore
from fakes.outboxes import Owed
from fakes.workflow_run import Event as Raised
from inventory.config import OPENING_STOCK
from inventory.service import StockService
from orderflow_contracts.approvals import (
    Approval,
    ApprovalRequested,
    ApprovalStatus,
    ApprovalWithdrawn,
    Decision,
)
from orderflow_contracts.batches import BatchStatusChanged
from orderflow_contracts.fields import now
from orderflow_contracts.inventory import (
    CommitRequest,
    Committed,
    LowStock,
    ReleaseRequest,
    ReservationRejected,
    Reservations,
    ReservationsWanted,
    Reserved,
    ReserveRequest,
    Stock,
)
from orderflow_contracts.names import APPROVAL_DECIDED
from orderflow_contracts.orders import OrderStatusChanged
from orderflow_hosting.events import Event, read_event
from orderflow_workflow_runtime.histories import Recording
from orderflow_workflow_runtime.instances import Instance, RuntimeStatus
from orderflow_workflow_runtime.ports import (
    AlreadyRunning,
    EngineUnavailable,
    InstanceDamaged,
    NoSuchInstance,
)
from orders.ordering.messages import OrderRun, Undone
from orders.tasks.messages import TaskOrder

M = TypeVar("M", bound=BaseModel)


class MemoryEngine:
    """Implements orders' `Engine`: stores the running instances and the raised events."""

    def __init__(self) -> None:
        self.runs: dict[str, list[OrderRun]] = defaultdict(list)
        self.active: set[str] = set()
        self.raised: list[tuple[str, str, Any]] = []
        self.ended_as = RuntimeStatus.COMPLETED
        self.names: dict[str, str] = {}
        self.undone: list[Undone] = []
        self.tasks: dict[str, TaskOrder] = {}
        self.histories: dict[str, list[Any]] = {}
        self.unreadable: set[str] = set()
        self.discarded: list[tuple[str, bool]] = []
        self.gone: set[str] = set()
        self.is_down = False
        self.loses_next_answer = False

    async def start(self, workflow: str, instance_id: str, payload: Any) -> None:
        """Start a run, unless one is active under this id."""
        self._answer()
        if workflow == "order_undo_workflow":
            self.undone.append(Undone.model_validate_json(payload.model_dump_json()))
            return
        if workflow == "task_processing_workflow":
            if instance_id in self.active:
                raise AlreadyRunning(instance_id)
            self.active.add(instance_id)
            self.tasks[instance_id] = TaskOrder.model_validate_json(payload.model_dump_json())
            return
        assert workflow == "order_processing_workflow"
        if instance_id in self.active:
            raise AlreadyRunning(instance_id)
        self.active.add(instance_id)
        self.gone.discard(instance_id)
        self.runs[instance_id].append(OrderRun.model_validate_json(payload.model_dump_json()))
        if self.loses_next_answer:
            self.loses_next_answer = False
            raise EngineUnavailable("the answer got lost")

    async def instance(
        self,
        instance_id: str,
        *,
        payloads: bool = True,
    ) -> Instance | None:
        """Return the last run that was started under this id."""
        self._answer()
        runs: list[OrderRun] = self.runs.get(instance_id, [])
        task = self.tasks.get(instance_id)
        payload = runs[-1] if runs else task
        if payload is None or instance_id in self.gone:
            return None
        status = RuntimeStatus.RUNNING if instance_id in self.active else self.ended_as
        usual = "order_processing_workflow" if runs else "task_processing_workflow"
        return Instance(
            instance_id=instance_id,
            name=self.names.get(instance_id, usual),
            runtime_status=status,
            created_at=now(),
            last_updated_at=now(),
            input=payload.model_dump(mode="json") if payloads else None,
        )

    async def raise_event(self, instance_id: str, event: str, payload: Any) -> None:
        """Store an event."""
        self._answer()
        if instance_id not in self.runs and instance_id not in self.tasks:
            raise NoSuchInstance(instance_id)
        if instance_id in self.active:  # a finished instance ignores it
            self.raised.append((instance_id, event, payload))

    async def recording(self, instance_id: str) -> Recording:
        """Return the history that a test has set; an empty one of an instance that is pending."""
        self._answer()
        if instance_id in self.unreadable:
            raise InstanceDamaged(instance_id)
        if await self.instance(instance_id) is None:
            raise NoSuchInstance(instance_id)
        events = self.histories.get(instance_id, [])
        return Recording.of(instance_id, events, {}, now())

    async def discard(self, instance_id: str, *, with_children: bool) -> None:
        """Forget an instance, but not which runs there were."""
        self._answer()
        self.discarded.append((instance_id, with_children))
        self.gone.add(instance_id)
        self.active.discard(instance_id)
        self.unreadable.discard(instance_id)
        self.histories.pop(instance_id, None)

    def _answer(self) -> None:
        if self.is_down:
            raise EngineUnavailable("the engine is down")


class Promised(Owed):
    """What orders has promised to publish, in the sequence of the promises."""

    @property
    def statuses(self) -> list[OrderStatusChanged]:
        """The statuses."""
        return self._of("orders.status", OrderStatusChanged)

    @property
    def requests(self) -> list[ApprovalRequested]:
        """The requests for approval."""
        return self._of("approvals.requested", ApprovalRequested)

    @property
    def withdrawals(self) -> list[ApprovalWithdrawn]:
        """The withdrawals of requests."""
        return self._of("approvals.withdrawn", ApprovalWithdrawn)

    @property
    def batches(self) -> list[BatchStatusChanged]:
        """The ends of batches."""
        return self._of("orders.batch-status", BatchStatusChanged)

    @property
    def low(self) -> list[tuple[str, LowStock]]:
        """The alerts, each with the id of its event."""
        events = self._events("inventory.low-stock")
        return [(str(event.id), LowStock.model_validate(event.content)) for event in events]

    def statuses_of(self, order_id: str) -> list[str]:
        """Return the statuses promised for an order, without duplicates."""
        events = {change.event_id: change for change in self.statuses}
        return [change.status for change in events.values() if change.order_id == order_id]

    def _of(self, topic: str, model: type[M]) -> list[M]:
        return [model.model_validate(event.content) for event in self._events(topic)]

    def _events(self, topic: str) -> list[Event]:
        return [read_event(event) for promised, event in self.published if promised == topic]


class MemoryApprovals:
    """Implements orders' `Approvals`: the decisions on record."""

    def __init__(self) -> None:
        self.decisions: dict[str, Decision] = {}
        self.failures: deque[Exception] = deque()

    def record(self, order_id: str, happenings: Iterable[object]) -> None:
        """Put the decision on record that one of these events announces."""
        for happening in happenings:
            if isinstance(happening, Raised) and happening.name == APPROVAL_DECIDED:
                self.decisions[order_id] = Decision.model_validate(happening.data)

    async def request(self, order_id: str) -> Approval | None:
        """Return the request with its decision; it is pending without one."""
        if self.failures:
            raise self.failures.popleft()
        decision = self.decisions.get(order_id)
        status = ApprovalStatus.PENDING
        if decision is not None:
            status = ApprovalStatus.APPROVED if decision.approved else ApprovalStatus.DENIED
        return Approval(
            order_id=order_id,
            customer_id="alice",
            lines=(),
            total_cents=0,
            status=status,
            requested_at=now(),
            expires_at=now(),
            approver=decision and decision.approver,
            comment=decision and decision.comment,
        )


class RoomInventory:
    """Implements orders' `Inventory` with the real inventory service on an in-memory store."""

    def __init__(self) -> None:
        self.store = MemoryStore()
        self.service = StockService(self.store)
        self.failures: deque[Exception] = deque()

    async def open(self) -> None:
        """Set the opening stock."""
        await self.service.load_opening_stock(OPENING_STOCK)

    async def reserve(self, request: ReserveRequest) -> Reserved | ReservationRejected:
        """Reserve."""
        self._fail()
        return await self.service.reserve(request)

    async def commit(self, order_id: str) -> Committed:
        """Commit."""
        self._fail()
        return await self.service.commit(CommitRequest(order_id=order_id))

    async def release(self, order_id: str) -> None:
        """Release."""
        self._fail()
        await self.service.release(ReleaseRequest(order_id=order_id))

    async def reservations(self, wanted: ReservationsWanted) -> Reservations:
        """Return reservations."""
        self._fail()
        return await self.service.reservations(wanted)

    async def stock(self) -> Stock:
        """Return the stock."""
        self._fail()
        return await self.service.stock()

    def quantities(self, item: str) -> tuple[int, int]:
        """Return how many items are on hand, and how many of these are reserved."""
        entry = self.store.items()[item]
        return entry.on_hand, entry.reserved

    def _fail(self) -> None:
        if self.failures:
            raise self.failures.popleft()
