"""Builds the ordering of goods: intake, workflow steps, live feed and edges."""

from dataclasses import dataclass

from orderflow_hosting.dapr_app import DaprApp
from orders import workflow_names
from orders.ordering.activities import OrderActivities
from orders.ordering.api import offer_methods, order_router, subscribe
from orders.ordering.feed import StatusFeed
from orders.ordering.picking import PickingActivities
from orders.ordering.service import Intake
from orders.ordering.store import OrderStore
from orders.ordering.undo import OrderUndo
from orders.parts import Base, Part, named
from orders.payments.provider import PaymentProvider
from orders.tasks.store import TaskStore


@dataclass(frozen=True, kw_only=True)
class Ordering(Part):
    """The part, and what other packages use of it."""

    store: OrderStore
    feed: StatusFeed
    undo: OrderUndo
    intake: Intake


def build(base: Base, payments: PaymentProvider, tasks: TaskStore) -> Ordering:
    """Wire the ordering of goods."""
    store = OrderStore(base.database)
    feed = StatusFeed(store, shared=base.database.is_shared)
    undo = OrderUndo(base.engine, store, base.settings.undo_timeout_seconds)
    intake = Intake(base.settings, store, base.engine, base.announcer, feed, undo, base.background)
    steps = OrderActivities(store, base.inventory, payments, base.announcer, feed, base.engine)
    picking = PickingActivities(store, tasks, base.engine)

    def offer(app: DaprApp) -> None:
        subscribe(app, intake, base.letters)
        offer_methods(app, intake)

    return Ordering(
        store=store,
        feed=feed,
        undo=undo,
        intake=intake,
        activities={
            **named(steps, workflow_names.ORDER_ACTIVITIES),
            **named(picking, workflow_names.PICKING_ACTIVITIES),
        },
        routers=(order_router(intake, store, feed),),
        subscribe=offer,
    )
