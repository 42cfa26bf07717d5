"""Orders' composition root: wire, register, serve."""

import asyncio

from orderflow_contracts import names
from orderflow_hosting import logs
from orderflow_hosting.access import Access, reads
from orderflow_hosting.dapr_app import DaprApp
from orderflow_hosting.database import Database
from orderflow_hosting.dead_letters import DeadLetters, dead_letter_router
from orderflow_hosting.health import health_router
from orderflow_hosting.process import serve, start
from orderflow_hosting.settings import load
from orderflow_hosting.sidecar import Sidecar
from orderflow_hosting.web import Site
from orders.activities import OrderActivities
from orders.api import http_app, offer_methods, order_router, payment_router, subscribe
from orders.batch_activities import BatchActivities
from orders.batch_api import batch_router, subscribe_to_batches
from orders.batch_store import BatchStore
from orders.batches import Batches
from orders.config import OrdersSettings
from orders.engine import DaprEngine
from orders.feed import StatusFeed
from orders.gateways import DaprAnnouncer, DaprInventory
from orders.hello_activity import HelloActivities
from orders.intake import Intake
from orders.management import Management
from orders.order_undo import OrderUndo
from orders.payments import LedgerProvider
from orders.picking import PickingActivities
from orders.resuming import keep_resuming
from orders.stock_monitor import StockMonitors
from orders.store import ACCESS, DEAD_LETTERS, TABLES, OrderStore
from orders.task_activities import TaskActivities
from orders.task_api import subscribe_tasks, task_router
from orders.task_store import TaskStore
from orders.tasks import Tasks
from orders.worker import Worker
from orders.workflow_api import workflow_router
from orders.workflows import names as workflow_names
from orders.workflows.registry import WORKFLOWS


async def run(settings: OrdersSettings) -> None:
    """Serve until told to stop."""
    database = Database(settings.database_url, TABLES)
    sidecar = Sidecar(names.ORDERS, settings)
    engine = DaprEngine(settings)
    store = OrderStore(database)
    payments = LedgerProvider(database)
    announcer = DaprAnnouncer(sidecar)
    feed = StatusFeed(store, shared=database.is_shared)
    letters = DeadLetters(database, DEAD_LETTERS, sidecar)
    order_undo = OrderUndo(engine, store)
    intake = Intake(settings, store, engine, announcer, feed, order_undo)
    batch_store = BatchStore(database)
    batches = Batches(settings, batch_store, engine, announcer, feed, order_undo, letters)
    management = Management(
        engine,
        store,
        order_undo,
        batches,
        counter_pause_seconds=settings.counter_pause_seconds,
    )
    inventory = DaprInventory(sidecar)
    steps = OrderActivities(store, inventory, payments, announcer, feed, engine)
    batch_steps = BatchActivities(batches)
    monitors = StockMonitors(settings, engine, inventory, announcer)
    hello = HelloActivities(part_seconds=settings.hello_step_seconds)
    task_store = TaskStore(database)
    tasks = Tasks(task_store, engine)
    task_steps = TaskActivities(task_store, settings.pickers)
    picking = PickingActivities(store, task_store, engine)
    worker = Worker(
        settings,
        sidecar,
        workflows=WORKFLOWS,
        activities={
            **{name: getattr(steps, name) for name in workflow_names.ORDER_ACTIVITIES},
            **{name: getattr(monitors, name) for name in workflow_names.MONITOR_ACTIVITIES},
            **{name: getattr(batch_steps, name) for name in workflow_names.BATCH_ACTIVITIES},
            workflow_names.INTERACTIVE_HELLO_STEP: hello.interactive_hello_activity,
            **{name: getattr(task_steps, name) for name in workflow_names.TASK_ACTIVITIES},
            **{name: getattr(picking, name) for name in workflow_names.PICKING_ACTIVITIES},
        },
    )

    app = _dapr_app(settings, intake, batches, tasks, letters)
    access = Access(settings, names.ORDERS, database, ACCESS)
    site = Site("Orders")
    http = http_app(
        order_router(intake, store, feed),
        batch_router(batch_store),
        payment_router(payments),
        task_router(tasks),
        workflow_router(management),
        dead_letter_router(letters),
        health_router(
            {"store": database.check, "sidecar": sidecar.check, "workflow_worker": worker.check}
        ),
        access.sign_in_router(site.page),
        access.audit_router(),
    )
    access.install(http)
    site.install(http, [reads()])

    async def begin() -> None:
        await database.ready()
        await worker.start()
        monitors.start()
        await keep_resuming(intake, batches)

    beginning = asyncio.create_task(begin())
    try:
        await serve(settings, http, app, on_stop=feed.close)
    finally:
        beginning.cancel()
        intake.stop()
        monitors.stop()
        batches.stop_waiting()
        await worker.stop()
        await engine.close()
        await sidecar.close()
        database.close()


def _dapr_app(
    settings: OrdersSettings, intake: Intake, batches: Batches, tasks: Tasks, letters: DeadLetters
) -> DaprApp:
    app = DaprApp(settings)
    subscribe(app, intake, letters)
    subscribe_to_batches(app, batches, letters)
    offer_methods(app, intake)
    subscribe_tasks(app, tasks, letters)
    letters.listen(app, names.SUBSCRIPTIONS[names.ORDERS])
    return app


def main() -> None:
    """Start the process."""
    settings = load(OrdersSettings)
    logs.configure("orders", settings)
    start(run(settings))
