"""Builds the doctor: its checks, the reconciler that runs them, and their API."""

from dataclasses import dataclass

from orderflow_hosting.canary import Canary
from orderflow_hosting.doctor import (
    Check,
    Doctor,
    Reconciler,
    UnhandledEvents,
    UnpublishedMessages,
    doctor_router,
)
from orders.attention.build import AttentionPart
from orders.batches.build import BatchPart
from orders.doctor.approvals import AwaitingOrders, PendingRequests
from orders.doctor.attention import FailedRollbacks, OutstandingCompensations
from orders.doctor.batches import BatchRuns
from orders.doctor.instances import UnknownInstances
from orders.doctor.payments import Charges
from orders.doctor.runs import OrderRuns
from orders.doctor.stock import Reservations, StockSums
from orders.doctor.store import DoctorStore
from orders.doctor.tasks import OpenTasks
from orders.ordering.build import Ordering
from orders.parts import Base, Part
from orders.payments.build import PaymentPart
from orders.tasks.build import TaskPart


@dataclass(frozen=True, kw_only=True)
class DoctorPart(Part):
    """The part, and the reconciler that the process runs."""

    reconciler: Reconciler


def build(
    base: Base,
    canary: Canary,
    *,
    ordering: Ordering,
    payments: PaymentPart,
    tasks: TaskPart,
    attention: AttentionPart,
    batches: BatchPart,
) -> DoctorPart:
    """Wire the doctor."""
    checks = checks_of(
        *(base, canary),
        ordering=ordering,
        payments=payments,
        tasks=tasks,
        attention=attention,
        batches=batches,
    )
    return DoctorPart(
        reconciler=Reconciler(checks, base.database),
        routers=(doctor_router(Doctor(checks), "order_id"),),
    )


def checks_of(
    base: Base,
    canary: Canary,
    *,
    ordering: Ordering,
    payments: PaymentPart,
    tasks: TaskPart,
    attention: AttentionPart,
    batches: BatchPart,
) -> tuple[Check, ...]:
    """Return everything that orders compares."""
    store = DoctorStore(base.database, base.clock)
    engine, intake, runs = base.engine, ordering.intake, batches.batches
    return (
        OrderRuns(store, engine, intake, runs),
        BatchRuns(store, engine, runs),
        UnknownInstances(store, tasks.store, engine),
        Reservations(store, base.inventory),
        StockSums(store, base.inventory),
        Charges(payments.store, payments.payments, base.clock),
        PendingRequests(store, base.approvals),
        AwaitingOrders(store, base.approvals, engine, intake, base.settings),
        OpenTasks(tasks.store, store, engine),
        FailedRollbacks(attention.store, engine, attention.attention, base.clock),
        OutstandingCompensations(store),
        UnpublishedMessages(base.database, base.clock),
        UnhandledEvents(base.parked, canary, base.clock),
    )
