"""The composition root of approvals: wires its parts, subscribes and serves."""

from contextlib import AsyncExitStack
from functools import partial

from fastapi import FastAPI

from approvals.config import ApprovalsSettings
from approvals.decisions.api import approval_router, http_app
from approvals.decisions.feed import ChangeFeed
from approvals.decisions.service import ApprovalService
from approvals.decisions.store import SqlApprovalStore
from approvals.decisions.topics import subscribe
from approvals.handover.gateways import DaprOrders
from approvals.handover.service import Handover
from approvals.history.backfill import repeat_backfill
from approvals.history.store import DecisionHistory
from approvals.pages import (
    AUDIT_PATH,
    LETTERS_PATH,
    REQUESTS_PATH,
    ApprovalPages,
    approvals_site,
    page_router,
)
from approvals.tables import ACCESS, DEAD_LETTERS, SCHEMA, SOURCES
from orderflow_contracts.fields import readable_order_id
from orderflow_contracts.names import APPROVALS
from orderflow_hosting import logs
from orderflow_hosting.access import Access, Audit, Role, reads
from orderflow_hosting.background import BackgroundWork
from orderflow_hosting.dapr_app import DaprApp
from orderflow_hosting.database import Database
from orderflow_hosting.dead_letters import DeadLetters, dead_letter_router
from orderflow_hosting.health import health_router
from orderflow_hosting.process import serve, start
from orderflow_hosting.settings import load
from orderflow_hosting.sidecar import Sidecar
from orderflow_hosting.spellings import keep_noted
from orderflow_hosting.web.audit_pages import audit_pages
from orderflow_hosting.web.dead_letter_pages import DeadLetterPages, Subjects


async def run(settings: ApprovalsSettings, resources: AsyncExitStack) -> None:
    """Wire the service, then serve until a signal ends it."""
    database = resources.enter_context(Database(settings.database_url, SCHEMA))
    sidecar = await resources.enter_async_context(Sidecar(APPROVALS, settings))
    background = await resources.enter_async_context(BackgroundWork())
    store = SqlApprovalStore(database)
    handover = Handover(store, DaprOrders(sidecar), background)
    service = ApprovalService(store, handover)
    letters = DeadLetters(database, DEAD_LETTERS, sidecar, subject_of=readable_order_id)
    app = DaprApp(settings)
    subscribe(app, service, letters)
    feed = ChangeFeed(store)
    http = _http(settings, database, sidecar, store, service, letters, feed)
    handover.start()
    repeat_backfill(store.backfill, background)
    background.start(partial(keep_noted, database, SOURCES))
    await serve(settings, http, app, feed.close, database.refusal)


def _http(
    settings: ApprovalsSettings,
    database: Database,
    sidecar: Sidecar,
    store: SqlApprovalStore,
    service: ApprovalService,
    letters: DeadLetters,
    feed: ChangeFeed,
) -> FastAPI:
    """Create the HTTP application with the API and the pages."""
    access = Access(settings, APPROVALS, database, ACCESS)
    site = approvals_site(settings.board_url)
    pages = ApprovalPages(
        store,
        DecisionHistory(database),
        site,
        settings.confirm_from_cents,
        settings.board_url,
    )
    audit = Audit(database, ACCESS)
    letter_pages = DeadLetterPages(
        site, letters, audit, LETTERS_PATH, Subjects("Order", REQUESTS_PATH), Role.OPERATOR
    )
    http = http_app(
        approval_router(service),
        dead_letter_router(letters),
        health_router({"store": database.check, "sidecar": sidecar.check}),
        access.sign_in_router(site.page),
        access.audit_router(),
        page_router(pages, service, feed, access),
        letter_pages.router(),
        audit_pages(site, audit, AUDIT_PATH),
    )
    access.install(http)
    site.install(http, [reads()])
    return http


def main() -> None:
    """Start the service process."""
    settings = load(ApprovalsSettings)
    logs.configure("approvals", settings)
    start(run, settings)
