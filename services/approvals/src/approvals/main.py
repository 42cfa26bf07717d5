"""Approvals' composition root: wire, subscribe, serve."""

from approvals.api import approval_router, http_app, subscribe
from approvals.config import ApprovalsSettings
from approvals.gateways import DaprOrders
from approvals.handover import Handover
from approvals.inbox import Inbox
from approvals.store import SqlApprovalStore
from approvals.tables import DEAD_LETTERS, TABLES
from orderflow_contracts.names import APPROVALS
from orderflow_hosting import logs
from orderflow_hosting.dapr_app import DaprApp
from orderflow_hosting.database import Database
from orderflow_hosting.dead_letters import DeadLetters, dead_letter_router
from orderflow_hosting.health import health_router
from orderflow_hosting.process import serve, start
from orderflow_hosting.settings import load
from orderflow_hosting.sidecar import Sidecar
from orderflow_hosting.web import Site


async def run(settings: ApprovalsSettings) -> None:
    """Serve until told to stop."""
    sidecar = Sidecar(APPROVALS, settings)
    database = Database(settings.database_url, TABLES)
    store = SqlApprovalStore(database)
    handover = Handover(store, DaprOrders(sidecar))
    inbox = Inbox(store, handover)
    letters = DeadLetters(database, DEAD_LETTERS, sidecar)
    app = DaprApp(settings)
    subscribe(app, inbox, letters)
    health = health_router({"store": database.check, "sidecar": sidecar.check})
    http = http_app(approval_router(inbox), dead_letter_router(letters), health)
    Site("Approvals").install(http)
    handover.start()
    try:
        await serve(settings, http, app)
    finally:
        await handover.stop()
        await sidecar.close()
        database.close()


def main() -> None:
    """Start the process."""
    settings = load(ApprovalsSettings)
    logs.configure("approvals", settings)
    start(run(settings))
