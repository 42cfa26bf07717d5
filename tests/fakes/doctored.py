"""Orders with its doctor: real tables and parts, an engine and other services in memory."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, cast

from fakes.events import TopicsInMemory
from fakes.managed_engine import ManagedMemoryEngine
from fakes.orders_ports import Promised, RoomInventory
from fakes.recorded_app import RecordedApp
from orderflow_contracts.approvals import Approval, ApprovalStatus, Requests, RequestsWanted
from orderflow_contracts.fields import now
from orderflow_contracts.inventory import ReserveRequest
from orderflow_contracts.orders import OrderLine, OrderStatus, OrderSubmitted, Reason
from orderflow_hosting.background import BackgroundWork
from orderflow_hosting.canary import Canary
from orderflow_hosting.database import Database
from orderflow_hosting.doctor import Disagreement, UnhandledEvents, UnpublishedMessages
from orderflow_hosting.sidecar import Sidecar
from orderflow_workflow_runtime.examining import Examiner
from orders import workflow_names as names
from orders.attention import build as attention_part
from orders.batches import build as batch_part
from orders.config import OrdersSettings
from orders.doctor.build import checks_of
from orders.doctor.store import DoctorStore
from orders.ordering import build as ordering_part
from orders.parts import Base
from orders.payments import build as payment_part
from orders.tables import DEAD_LETTERS, PARKED_EVENTS
from orders.tasks import build as task_part

LINES = (OrderLine(item="cars", quantity=4),)
TOTAL_CENTS = 60_000_00


class RecordedApprovals:
    """Implements what the doctor asks of approvals."""

    def __init__(self) -> None:
        self.known: dict[str, Approval] = {}

    async def requests(self, wanted: RequestsWanted) -> Requests:
        """Return certain requests, or those that are pending."""
        if wanted.order_ids is not None:
            found = [self.known[each] for each in wanted.order_ids if each in self.known]
            return Requests(requests=tuple(found))
        pending = sorted(
            (each for each in self.known.values() if each.status is ApprovalStatus.PENDING),
            key=lambda each: each.order_id,
        )
        return Requests(requests=tuple(pending))

    def put(
        self, order_id: str, status: ApprovalStatus, decided_at: datetime | None = None
    ) -> None:
        """Record a request."""
        self.known[order_id] = Approval(
            order_id=order_id,
            customer_id="alice",
            lines=LINES,
            total_cents=TOTAL_CENTS,
            status=status,
            requested_at=now(),
            expires_at=now(),
            approver="bob" if decided_at else None,
            comment="good" if decided_at else None,
            decided_at=decided_at,
        )


class _NoBroker(Sidecar):
    def __init__(self) -> None:
        """Connect to nothing."""


class Doctored:
    """The parts of orders that the doctor compares, on a clock that a test moves."""

    def __init__(self, database: Database, settings: OrdersSettings) -> None:
        self.now = now()
        self.engine = ManagedMemoryEngine()
        self.inventory = RoomInventory()
        self.approvals = RecordedApprovals()
        self.promised = Promised(database)
        self.background = BackgroundWork()
        topics = TopicsInMemory(database, DEAD_LETTERS, PARKED_EVENTS)
        base = Base(
            settings=settings,
            clock=lambda: self.now,
            database=database,
            engine=cast(Any, self.engine),
            inventory=cast(Any, self.inventory),
            approvals=cast(Any, self.approvals),
            app=topics.app,
            topics=topics.topics,
            dead_letters=topics.letters,
            parked=topics.parked,
            background=self.background,
        )
        canary = Canary("orders", RecordedApp(), _NoBroker(), database, clock=lambda: self.now)
        self.payments = payment_part.build(base)
        self.tasks = task_part.build(base)
        self.ordering = ordering_part.build(base, self.payments.payments, self.tasks.store)
        self.attention = attention_part.build(base, self.ordering)
        self.batches = batch_part.build(base, self.ordering)
        self.orders = self.ordering.store
        self.records = DoctorStore(database, base.clock)
        checks = checks_of(
            *(base, canary, Examiner(base.engine, lambda *_: False, base.clock)),
            ordering=self.ordering,
            payments=self.payments,
            tasks=self.tasks,
            attention=self.attention,
            batches=self.batches,
        )
        # Nothing is published here; hosting's own tests are about its checks.
        own = (UnpublishedMessages, UnhandledEvents)
        self.checks = [check for check in checks if not isinstance(check, own)]

    async def kinds(self, order_id: str | None = None) -> list[tuple[str, str]]:
        """Return the kind of each disagreement, and what it is about."""
        return [(each.kind.name, each.about) for each in await self.found(order_id)]

    async def heal(self) -> list[str]:
        """Heal all that can be healed; return what is left."""
        found = await self.found(None)
        for each in found:
            if each.heal is not None:
                await each.heal()
        return [each.about for each in found if each.heal is None]

    async def found(self, order_id: str | None) -> list[Disagreement]:
        """Return what all checks find, or what they find for one order."""
        found: list[Disagreement] = []
        for check in self.checks:
            found += (
                (await check.page(None)).disagreements
                if order_id is None
                else await check.of(order_id)
            )
        return found

    def wait(self, seconds: float = 60) -> None:
        """Let time pass."""
        self.now += timedelta(seconds=seconds)

    async def place(
        self, order_id: str, *statuses: OrderStatus, reason: Reason | None = None
    ) -> str:
        """Accept an order, with its run in the engine, and record statuses; return the run's id."""
        order = OrderSubmitted(order_id=order_id, customer_id="alice", lines=LINES)
        await self.ordering.intake.submit(order)
        run_id = str(self.engine.instances[order_id].input["run_id"])
        for status in statuses:
            await self.orders.record(
                *(order_id, run_id, status),
                total_cents=TOTAL_CENTS,
                reason=reason if status.is_final else None,
            )
        return run_id

    async def reserve(self, order_id: str, lines: Sequence[OrderLine] = LINES) -> None:
        """Reserve stock."""
        await self.inventory.reserve(ReserveRequest(order_id=order_id, lines=tuple(lines)))

    def run_of(self, order_id: str) -> Any:
        """Return the input of the order's workflow, or None."""
        instance = self.engine.instances.get(order_id)
        return None if instance is None else instance.input

    def undo_of(self, order_id: str) -> bool:
        """Whether the order is being rolled back."""
        instance = self.engine.instances.get(f"undo.{order_id}")
        return instance is not None and instance.name == names.ORDER_UNDO
