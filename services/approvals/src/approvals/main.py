"""The composition root of approvals: wires its parts, subscribes and serves."""

from contextlib import AsyncExitStack
from functools import partial

from approvals.config import ApprovalsSettings
from approvals.decisions.api import approval_router, http_app
from approvals.decisions.feed import ChangeFeed
from approvals.decisions.methods import offer_methods
from approvals.decisions.service import ApprovalService
from approvals.decisions.store import SqlApprovalStore
from approvals.decisions.topics import subscribe
from approvals.doctor import checks_of
from approvals.handover.gateways import DaprOrders
from approvals.handover.service import Handover
from approvals.history.backfill import repeat_backfill
from approvals.history.store import DecisionHistory
from approvals.pages import (
    AUDIT_PATH,
    DEAD_LETTERS_PATH,
    REQUESTS_PATH,
    ApprovalPages,
    approvals_site,
    page_router,
)
from approvals.tables import ACCESS, DEAD_LETTERS, PARKED_EVENTS, SCHEMA, SOURCES
from orderflow_contracts import asyncapi
from orderflow_contracts.fields import now, readable_order_id
from orderflow_contracts.names import APPROVALS, SUBSCRIPTIONS
from orderflow_hosting import logs
from orderflow_hosting.access import Access, Audit, Role, reads
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
from orderflow_hosting.doctor import Doctor, Reconciler, doctor_router
from orderflow_hosting.health import health_router, refuse_without
from orderflow_hosting.outbox import Relay, outbox_router
from orderflow_hosting.process import serve, start
from orderflow_hosting.settings import load
from orderflow_hosting.sidecar import Sidecar
from orderflow_hosting.spellings import backfill_repeatedly
from orderflow_hosting.topics import Topics
from orderflow_hosting.web import Site
from orderflow_hosting.web.asyncapi import asyncapi_router
from orderflow_hosting.web.audit_pages import audit_pages
from orderflow_hosting.web.dead_letter_forms import DeadLetterForms
from orderflow_hosting.web.dead_letter_pages import DeadLetterPages, Subjects


async def run(settings: ApprovalsSettings, resources: AsyncExitStack) -> None:
    """Wire the service, then serve until a signal ends it."""
    database = resources.enter_context(Database(settings.database_url, SCHEMA, now))
    sidecar = await resources.enter_async_context(Sidecar(APPROVALS, settings))
    dead_letters = DeadLetters(database, DEAD_LETTERS, subject_of=readable_order_id, clock=now)
    relay = Relay(database, sidecar, dead_letters.take_back_within)
    resources.push_async_callback(relay.give_back)
    background = await resources.enter_async_context(BackgroundWork())
    store = SqlApprovalStore(database, now)
    handover = Handover(store, DaprOrders(sidecar), background, now)
    service = ApprovalService(store, handover, now)
    app = DaprApp(settings)
    parked = ParkedEvents(database, PARKED_EVENTS, clock=now)
    topics = Topics(app, dead_letters, parked, clock=now)
    subscribe(topics, service)
    offer_methods(app, service)
    audit = Audit(database, ACCESS, now)
    outcomes = Outcomes(database, DEAD_LETTERS, PARKED_EVENTS, audit, topics.find)
    canary = Canary(APPROVALS, app, sidecar, database, clock=now)
    doctor_checks = checks_of(database, parked, canary, now)
    reconciler = Reconciler(doctor_checks, database)
    resources.push_async_callback(reconciler.give_back)
    feed = ChangeFeed(store, now)
    access = Access(settings, APPROVALS, database, ACCESS, now)
    site = approvals_site(settings.board_url, now)
    letter_pages = DeadLetterPages(
        site,
        dead_letters,
        parked,
        audit,
        outcomes,
        DEAD_LETTERS_PATH,
        Subjects("Order", REQUESTS_PATH),
        Role.OPERATOR,
        topics=SUBSCRIPTIONS[APPROVALS],
        records={"approval": f"{REQUESTS_PATH}/{{id}}"},
    )
    checks = {"store": database.check, "sidecar": sidecar.check, "events": canary.check}
    http = http_app(
        approval_router(service),
        dead_letter_router(dead_letters, outcomes),
        parked_event_router(parked),
        outbox_router(database, now),
        doctor_router(Doctor(doctor_checks), "order_id"),
        asyncapi_router(asyncapi.document()),
        health_router(checks),
        access.sign_in_router(site.page),
        access.audit_router(),
        page_router(_pages(settings, database, store, site), service, feed, access),
        letter_pages.router(),
        DeadLetterForms(letter_pages).router(),
        audit_pages(site, audit, AUDIT_PATH),
    )
    access.install(http)
    site.install(http, [reads()])
    handover.start()
    relay.keep_publishing(background)
    topics.keep_retrying(background)
    canary.keep_publishing(background)
    reconciler.keep_reconciling(background)
    repeat_backfill(store.backfill, background)
    background.start(partial(backfill_repeatedly, database, SOURCES))
    needs = {"the database": database.check, "the sidecar": sidecar.check}
    start_up = partial(refuse_without, needs, settings.start_seconds)
    await serve(settings, http, app, feed.close, database.refusal, start_up)


def _pages(
    settings: ApprovalsSettings, database: Database, store: SqlApprovalStore, site: Site
) -> ApprovalPages:
    history = DecisionHistory(database)
    return ApprovalPages(store, history, site, settings.confirm_from_cents, settings.board_url, now)


def main() -> None:
    """Start the service process."""
    settings = load(ApprovalsSettings)
    logs.configure("approvals", settings)
    start(run, settings)
