"""Builds ordering: intake, workflow steps, live feed and edges."""

from dataclasses import dataclass
from typing import cast

from orderflow_workflow_runtime.worker import Activity
from orders.ordering import steps
from orders.ordering.activities import OrderActivities
from orders.ordering.api import offer_methods, order_router, subscribe
from orders.ordering.feed import StatusFeed
from orders.ordering.new_runs import NewRuns
from orders.ordering.picking import PickingActivities
from orders.ordering.service import Intake
from orders.ordering.store import OrderStore
from orders.ordering.undo import OrderUndo
from orders.parts import Base, Part
from orders.payments.service import RecordedPayments
from orders.saved_histories import SavedHistories
from orders.tasks.store import TaskStore


@dataclass(frozen=True, kw_only=True)
class Ordering(Part):
    """The part, and what other packages use of it."""

    store: OrderStore
    feed: StatusFeed
    undo: OrderUndo
    intake: Intake
    new_runs: NewRuns
    histories: SavedHistories


def build(base: Base, payments: RecordedPayments, tasks: TaskStore) -> Ordering:
    """Wire ordering."""
    store = OrderStore(base.database, base.clock)
    feed = StatusFeed(store, shared=base.database.is_shared)
    undo = OrderUndo(base.engine, store, base.settings.undo_timeout_seconds)
    histories = SavedHistories(base.database)
    new_runs = NewRuns(base.settings, store, histories, base.engine, base.clock)
    intake = Intake(
        *(base.settings, store, base.engine, feed, undo, base.background),
        clock=base.clock,
        new_runs=new_runs,
    )
    owners = (
        OrderActivities(store, base.inventory, payments, feed, base.engine, base.approvals),
        PickingActivities(store, tasks, base.engine),
    )
    subscribe(base.topics, intake)
    offer_methods(base.app, intake)
    return Ordering(
        store=store,
        feed=feed,
        undo=undo,
        intake=intake,
        new_runs=new_runs,
        histories=histories,
        activities={name: _implementation(name, *owners) for name in steps.ACTIVITIES},
        routers=(order_router(intake, store, feed),),
    )


def _implementation(activity: str, *owners: object) -> Activity:
    """Find the method that implements an activity; raise `LookupError` if there is none."""
    for owner in owners:
        if (method := getattr(owner, activity, None)) is not None:
            return cast(Activity, method)
    raise LookupError(f"no activity is called {activity}")
