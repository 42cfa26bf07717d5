"""Inventory's composition root: wire, offer, serve."""

import asyncio

import structlog

from inventory.api import http_app, offer_methods
from inventory.config import InventorySettings
from inventory.gateways import DaprStore
from inventory.stock import StockRoom
from inventory.store import StoreUnavailable, VersionConflict
from orderflow_contracts.names import INVENTORY
from orderflow_hosting import logs
from orderflow_hosting.access import Access, reads
from orderflow_hosting.dapr_app import DaprApp
from orderflow_hosting.health import health_router
from orderflow_hosting.process import serve, start
from orderflow_hosting.settings import load
from orderflow_hosting.sidecar import Sidecar
from orderflow_hosting.web import Site

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

OPENING_PAUSE_SECONDS = 0.5


class Opening:
    """Lays out the opening stock as soon as the store answers."""

    def __init__(self, stock: StockRoom, settings: InventorySettings) -> None:
        self._stock = stock
        self._settings = settings
        self._done = False

    async def run(self) -> None:
        """Try until it is laid out; the sidecar may come up after this process."""
        while not self._done:
            try:
                await self._stock.open(self._settings.opening_stock)
                self._done = True
                log.info("opening_stock_ready")
            except (StoreUnavailable, VersionConflict) as error:
                log.info("opening_stock_waits", why=str(error))
                await asyncio.sleep(OPENING_PAUSE_SECONDS)

    async def check(self) -> None:
        """Raise while it is not laid out."""
        if not self._done:
            raise StoreUnavailable("the opening stock is not laid out yet")


async def run(settings: InventorySettings) -> None:
    """Serve until told to stop."""
    sidecar = Sidecar(INVENTORY, settings)
    store = DaprStore(sidecar)
    stock = StockRoom(store)
    opening = Opening(stock, settings)
    app = DaprApp(settings)
    offer_methods(app, stock)

    async def check_store() -> None:
        await store.check()
        await stock.stock()

    health = health_router(
        {"store": check_store, "sidecar": sidecar.check, "opening_stock": opening.check}
    )
    http = http_app(stock, health)
    Access(settings, INVENTORY).install(http)
    Site("Inventory").install(http, [reads()])
    laying_out = asyncio.create_task(opening.run())
    try:
        await serve(settings, http, app)
    finally:
        laying_out.cancel()
        await sidecar.close()


def main() -> None:
    """Start the process."""
    settings = load(InventorySettings)
    logs.configure("inventory", settings)
    start(run(settings), settings)
