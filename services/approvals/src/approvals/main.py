"""The composition root of approvals: wires its parts, subscribes and serves."""

import asyncio

from fastapi import FastAPI

from approvals.config import ApprovalsSettings
from approvals.decisions.api import approval_router, http_app
from approvals.decisions.feed import ChangeFeed
from approvals.decisions.service import ApprovalService
from approvals.decisions.store import SqlApprovalStore
from approvals.decisions.topics import subscribe
from approvals.handover.gateways import DaprOrders
from approvals.handover.service import Handover
from approvals.history.backfill import Backfill
from approvals.history.store import DecisionHistory
from approvals.pages import (
    AUDIT_PATH,
    LETTERS_PATH,
    REQUESTS_PATH,
    ApprovalPages,
    approvals_site,
    page_router,
)
from approvals.tables import ACCESS, DEAD_LETTERS, SOURCES, TABLES
from orderflow_contracts.names import APPROVALS
from orderflow_hosting import logs
from orderflow_hosting.access import Access, Audit, Role, reads
from orderflow_hosting.dapr_app import DaprApp
from orderflow_hosting.database import Database
from orderflow_hosting.dead_letters import DeadLetters, dead_letter_router
from orderflow_hosting.health import health_router
from orderflow_hosting.process import serve, start
from orderflow_hosting.settings import load
from orderflow_hosting.sidecar import Sidecar
from orderflow_hosting.spellings import keep_noted
from orderflow_hosting.web.audit_pages import audit_pages
from orderflow_hosting.web.dead_letter_pages import DeadLetterPages


async def run(settings: ApprovalsSettings) -> None:
    """Serve until stopped."""
    sidecar = Sidecar(APPROVALS, settings)
    database = Database(settings.database_url, TABLES)
    store = SqlApprovalStore(database)
    handover = Handover(store, DaprOrders(sidecar))
    service = ApprovalService(store, handover)
    letters = DeadLetters(database, DEAD_LETTERS, sidecar)
    app = DaprApp(settings)
    subscribe(app, service, letters)
    feed, backfill = ChangeFeed(store), Backfill(store.backfill)
    http = _http(settings, database, sidecar, store, service, letters, feed)
    handover.start()
    backfill.start()
    spelling_index = asyncio.create_task(keep_noted(database, SOURCES))
    try:
        await serve(settings, http, app, on_stop=feed.close)
    finally:
        spelling_index.cancel()
        await handover.stop()
        await backfill.stop()
        await sidecar.close()
        database.close()


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
    letter_pages = DeadLetterPages(site, letters, audit, LETTERS_PATH, REQUESTS_PATH, Role.OPERATOR)
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
    start(run(settings), settings)
