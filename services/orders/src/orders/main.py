"""Orders' composition root: build the packages, register what they add, serve."""

from contextlib import AsyncExitStack
from functools import partial

from orderflow_contracts import asyncapi, names
from orderflow_contracts.fields import now, readable_order_id
from orderflow_hosting import logs
from orderflow_hosting.access import Access, Audit, reads
from orderflow_hosting.background import BackgroundWork
from orderflow_hosting.canary import Canary
from orderflow_hosting.dapr_app import DaprApp
from orderflow_hosting.database import Database
from orderflow_hosting.dead_letters import (
    DeadLetters,
    Outcomes,
    ParkedEvents,
    dead_letter_router,
    parked_event_router,
)
from orderflow_hosting.health import health_router, refuse_without
from orderflow_hosting.outbox import Relay, outbox_router
from orderflow_hosting.process import serve, start
from orderflow_hosting.settings import load
from orderflow_hosting.sidecar import Sidecar
from orderflow_hosting.topics import Topics
from orderflow_hosting.web.asyncapi import asyncapi_router
from orderflow_workflow_runtime.client import DaprEngine
from orderflow_workflow_runtime.worker import Worker
from orders.attention import build as attention_part
from orders.batches import build as batch_part
from orders.board import build as board_part
from orders.board.pages.site import orders_site
from orders.config import OrdersSettings
from orders.doctor import build as doctor_part
from orders.gateways import DaprApprovals, DaprInventory
from orders.http import http_app
from orders.management import build as management_part
from orders.ordering import build as ordering_part
from orders.parts import Base
from orders.payments import build as payment_part
from orders.resuming import keep_resuming
from orders.stock import build as stock_part
from orders.tables import ACCESS, DEAD_LETTERS, PARKED_EVENTS, SCHEMA
from orders.tasks import build as task_part
from orders.workflows import WORKFLOWS


async def run(settings: OrdersSettings, resources: AsyncExitStack) -> None:
    """Wire the service, then serve until a signal ends it."""
    database = resources.enter_context(Database(settings.database_url, SCHEMA, now))
    sidecar = await resources.enter_async_context(Sidecar(names.ORDERS, settings))
    dead_letters = DeadLetters(database, DEAD_LETTERS, subject_of=readable_order_id, clock=now)
    relay = Relay(database, sidecar, dead_letters.take_back_within)
    resources.push_async_callback(relay.give_back)
    engine = DaprEngine(settings, now)
    resources.push_async_callback(engine.close)
    background = await resources.enter_async_context(BackgroundWork())
    app = DaprApp(settings)
    parked = ParkedEvents(database, PARKED_EVENTS, clock=now)
    topics = Topics(app, dead_letters, parked, clock=now)
    audit = Audit(database, ACCESS, now)
    outcomes = Outcomes(database, DEAD_LETTERS, PARKED_EVENTS, audit, topics.find)
    canary = Canary(names.ORDERS, app, sidecar, database, clock=now)
    base = Base(
        settings=settings,
        clock=now,
        database=database,
        engine=engine,
        inventory=DaprInventory(sidecar),
        approvals=DaprApprovals(sidecar),
        app=app,
        topics=topics,
        dead_letters=dead_letters,
        parked=parked,
        background=background,
    )
    access = Access(settings, names.ORDERS, database, ACCESS, now)
    site = orders_site(settings.inbox_url, now)

    payments = payment_part.build(base)
    tasks = task_part.build(base)
    stock = stock_part.build(base)
    ordering = ordering_part.build(base, payments.payments, tasks.store)
    attention = attention_part.build(base, ordering)
    batches = batch_part.build(base, ordering)
    management = management_part.build(base, ordering, batches.batches)
    board = board_part.build(
        *(base, site, access, outcomes),
        ordering=ordering,
        payments=payments,
        tasks=tasks,
        attention=attention,
        batches=batches,
        management=management,
    )
    working = (ordering, attention, batches, payments, tasks, stock, management, board)

    activities = {name: step for part in working for name, step in part.activities.items()}
    worker = Worker(
        *(settings, sidecar, app.report),
        workflows=WORKFLOWS,
        activities=activities,
        observer=management.index,
    )
    resources.push_async_callback(worker.stop)
    doctor = doctor_part.build(
        *(base, canary, worker.is_running),
        ordering=ordering,
        payments=payments,
        tasks=tasks,
        attention=attention,
        batches=batches,
    )
    resources.push_async_callback(doctor.reconciler.give_back)
    parts = (*working, doctor)
    checks = {
        "store": database.check,
        "sidecar": sidecar.check,
        "calls": app.check_called,
        "workflow_worker": worker.check,
        "events": canary.check,
    }
    http = http_app(
        *(router for part in parts for router in part.routers),
        dead_letter_router(dead_letters, outcomes),
        parked_event_router(parked),
        outbox_router(database, now),
        asyncapi_router(asyncapi.document()),
        health_router(checks),
        access.sign_in_router(site.page),
        access.audit_router(),
    )
    access.install(http)
    site.install(http, [reads()])

    async def begin() -> None:
        await database.ready()
        relay.keep_publishing(background)
        await worker.start()
        topics.keep_retrying(background)
        canary.keep_publishing(background)
        for job in (job for part in parts for job in part.jobs):
            background.start(job)
        doctor.reconciler.keep_reconciling(background)
        background.start(
            partial(keep_resuming, ordering.intake, batches.batches, attention.attention)
        )

    background.start(begin)
    needs = {"the database": database.check, "the sidecar": sidecar.check}
    start_up = partial(refuse_without, needs, settings.start_seconds)
    await serve(settings, http, app, ordering.feed.close, database.refusal, start_up)


def main() -> None:
    """Start the process."""
    settings = load(OrdersSettings)
    logs.configure("orders", settings)
    start(run, settings)
