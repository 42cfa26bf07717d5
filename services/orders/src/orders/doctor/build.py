"""Builds the doctor: its checks, the reconciler that runs them, and their API."""

from collections.abc import Callable
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
from orderflow_workflow_runtime.examining import Examiner
from orders.attention.build import AttentionPart
from orders.batches.build import BatchPart
from orders.doctor.approvals import AwaitingOrders, PendingRequests
from orders.doctor.attention import FailedRollbacks, OutstandingCompensations
from orders.doctor.batches import BatchRuns
from orders.doctor.instances import UnknownInstances
from orders.doctor.overdue import OverdueInstances
from orders.doctor.payments import Charges
from orders.doctor.runs import OrderRuns
from orders.doctor.stock import Reservations, StockSums
from orders.doctor.store import DoctorStore
from orders.doctor.tasks import OpenTasks
from orders.ordering.build import Ordering
from orders.ordering.damaged import DamagedRuns
from orders.parts import Base, Part
from orders.payments.build import PaymentPart
from orders.replacing import Replacing
from orders.stock.service import subject_of
from orders.tasks.build import TaskPart


@dataclass(frozen=True, kw_only=True)
class DoctorPart(Part):
    """The part, and the reconciler that the process runs."""

    reconciler: Reconciler


def build(
    base: Base,
    canary: Canary,
    is_running: Callable[[str, int], bool],
    *,
    ordering: Ordering,
    payments: PaymentPart,
    tasks: TaskPart,
    attention: AttentionPart,
    batches: BatchPart,
) -> DoctorPart:
    """Wire the doctor, and what replaces workflows that cannot go on.

    `is_running` says whether the worker is running an activity of an instance.
    """
    examiner = Examiner(base.engine, is_running, base.clock)
    replacing = Replacing(
        *(base.engine, ordering.store, ordering.histories),
        DamagedRuns(ordering.store, ordering.new_runs, examiner, base.engine, base.clock),
        *(ordering.undo, batches.batches),
        examiner=examiner,
        monitors=tuple(map(subject_of, base.settings.low_stock_thresholds)),
        clock=base.clock,
    )
    checks = checks_of(
        *(base, canary, examiner),
        ordering=ordering,
        payments=payments,
        tasks=tasks,
        attention=attention,
        batches=batches,
    )
    return DoctorPart(
        reconciler=Reconciler(checks, base.database),
        jobs=(replacing.keep_looking,),
        routers=(doctor_router(Doctor(checks), "order_id"),),
    )


def checks_of(
    base: Base,
    canary: Canary,
    examiner: Examiner,
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
        OverdueInstances(examiner),
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
