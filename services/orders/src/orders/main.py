"""Orders' composition root: wire, register, serve."""

import asyncio
from collections.abc import Iterable
from typing import Any

from fastapi import APIRouter

from orderflow_contracts import names
from orderflow_hosting import logs
from orderflow_hosting.access import Access, Audit, reads
from orderflow_hosting.dapr_app import DaprApp
from orderflow_hosting.database import Database
from orderflow_hosting.dead_letters import DeadLetters, dead_letter_router
from orderflow_hosting.health import health_router
from orderflow_hosting.process import serve, start
from orderflow_hosting.settings import load
from orderflow_hosting.sidecar import Sidecar
from orderflow_hosting.spellings import keep_noted
from orderflow_hosting.web import Site
from orderflow_hosting.web.audit_pages import audit_pages
from orderflow_hosting.web.dead_letter_pages import DeadLetterPages
from orders.activities import OrderActivities
from orders.api import http_app, offer_methods, order_router, payment_router, subscribe
from orders.attention import Attention
from orders.attention_activities import AttentionActivities
from orders.attention_api import attention_router
from orders.attention_store import AttentionStore
from orders.background import Background
from orders.batch_activities import BatchActivities
from orders.batch_api import batch_router, subscribe_to_batches
from orders.batch_store import BatchStore
from orders.batches import Batches
from orders.board_store import BoardStore
from orders.board_tables import SOURCES
from orders.config import OrdersSettings
from orders.engine import DaprEngine
from orders.feed import StatusFeed
from orders.gateways import DaprAnnouncer, DaprInventory
from orders.hello_activity import HelloActivities
from orders.intake import Intake
from orders.management import Management
from orders.migrations import SCHEMA
from orders.order_undo import OrderUndo
from orders.pages.attention_pages import attention_pages
from orders.pages.batch_pages import batch_pages
from orders.pages.board_pages import board_router
from orders.pages.new_order_pages import new_order_router
from orders.pages.order_pages import OrderPages
from orders.pages.site import orders_site
from orders.pages.stock_levels import Stocks
from orders.pages.stock_pages import stock_router
from orders.pages.task_pages import task_pages
from orders.pages.workflow_pages import workflow_pages
from orders.payments import LedgerProvider
from orders.picking import PickingActivities
from orders.pulse import Pulse
from orders.resuming import keep_resuming
from orders.standstill import Standstill
from orders.stock_monitor import StockMonitors
from orders.store import ACCESS, DEAD_LETTERS, OrderStore
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
    database = Database(settings.database_url, SCHEMA)
    sidecar = Sidecar(names.ORDERS, settings)
    engine = DaprEngine(settings)
    store = OrderStore(database)
    payments = LedgerProvider(database)
    announcer = DaprAnnouncer(sidecar)
    feed = StatusFeed(store, shared=database.is_shared)
    letters = DeadLetters(database, DEAD_LETTERS, sidecar)
    order_undo = OrderUndo(engine, store, settings.undo_timeout_seconds)
    attention = Attention(AttentionStore(database), engine, order_undo)
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
    monitors = StockMonitors(settings, engine, inventory, announcer)
    task_store = TaskStore(database)
    tasks = Tasks(task_store, engine)
    worker = Worker(
        settings,
        sidecar,
        workflows=WORKFLOWS,
        activities={
            **_named(steps, workflow_names.ORDER_ACTIVITIES),
            **_named(monitors, workflow_names.MONITOR_ACTIVITIES),
            **_named(BatchActivities(batches), workflow_names.BATCH_ACTIVITIES),
            workflow_names.INTERACTIVE_HELLO_STEP: HelloActivities(
                part_seconds=settings.hello_step_seconds
            ).interactive_hello_activity,
            **_named(TaskActivities(task_store, settings.pickers), workflow_names.TASK_ACTIVITIES),
            **_named(
                PickingActivities(store, task_store, engine), workflow_names.PICKING_ACTIVITIES
            ),
            workflow_names.CONCLUDE_RETRY: AttentionActivities(attention).conclude_retry_activity,
        },
    )

    app = _dapr_app(settings, intake, batches, tasks, letters)
    access = Access(settings, names.ORDERS, database, ACCESS)
    site = orders_site(settings.inbox_url)
    http = http_app(
        order_router(intake, store, feed),
        attention_router(attention, store),
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
        *_pages(
            settings=settings,
            database=database,
            site=site,
            access=access,
            intake=intake,
            shelf=inventory,
            engine=engine,
            attention=attention,
            feed=feed,
        ),
        *_operations(site, database, letters, management, tasks, attention),
    )
    access.install(http)
    site.install(http, [reads()])

    async def begin() -> None:
        await database.ready()
        await worker.start()
        monitors.start()
        filling.do(BoardStore(database).fill)
        await asyncio.gather(
            keep_resuming(intake, batches, attention),
            keep_noted(database, SOURCES),
            Standstill(worker.is_shut_out, app.report, sidecar.shut_down).watch(),
        )

    filling = Background()
    beginning = asyncio.create_task(begin())
    try:
        await serve(settings, http, app, on_stop=feed.close, refusal=database.refusal)
    finally:
        beginning.cancel()
        filling.stop()
        intake.stop()
        attention.stop()
        monitors.stop()
        batches.stop_waiting()
        await worker.stop()
        await engine.close()
        await sidecar.close()
        database.close()


def _named(steps: object, activities: Iterable[str]) -> dict[str, Any]:
    """Find activities among the methods that have their names."""
    return {name: getattr(steps, name) for name in activities}


def _pages(
    *,
    settings: OrdersSettings,
    database: Database,
    site: Site,
    access: Access,
    intake: Intake,
    shelf: DaprInventory,
    engine: DaprEngine,
    attention: Attention,
    feed: StatusFeed,
) -> Iterable[APIRouter]:
    """Serve the board, and what belongs to it."""
    store, board, stocks = OrderStore(database), BoardStore(database), Stocks(shelf)
    yield board_router(site, board, Pulse(feed), access.session_is_current)
    yield OrderPages(
        site=site,
        store=store,
        board=board,
        payments=LedgerProvider(database),
        tasks=TaskStore(database),
        intake=intake,
        histories=engine,
        attention=attention,
        inbox_url=settings.inbox_url,
    ).router()
    yield new_order_router(site, intake, stocks)
    yield stock_router(site, board, stocks)


def _operations(
    site: Site,
    database: Database,
    letters: DeadLetters,
    management: Management,
    tasks: Tasks,
    attention: Attention,
) -> Iterable[APIRouter]:
    """Serve what is behind the orders, and the buttons that mend it."""
    audit = Audit(database, ACCESS)
    yield attention_pages(attention)
    yield batch_pages(site, BatchStore(database))
    yield task_pages(site, tasks)
    yield workflow_pages(site, management)
    yield DeadLetterPages(site, letters, audit, "/board/dead-letters", "/board/orders").router()
    yield audit_pages(site, audit, "/board/audit")


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
    start(run(settings), settings)
