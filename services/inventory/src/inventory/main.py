"""The composition root of inventory: wires its parts, offers its methods and serves."""

from contextlib import AsyncExitStack
from functools import partial

import structlog

from inventory.api import http_app, offer_methods
from inventory.config import InventorySettings
from inventory.gateways import DaprStore
from inventory.ports import StoreUnavailable
from inventory.service import StockService
from orderflow_contracts.fields import now
from orderflow_contracts.names import INVENTORY
from orderflow_hosting import logs
from orderflow_hosting.access import Access, reads
from orderflow_hosting.background import BackgroundWork, Backoff
from orderflow_hosting.dapr_app import DaprApp
from orderflow_hosting.health import health_router, refuse_without
from orderflow_hosting.process import serve, start
from orderflow_hosting.settings import load
from orderflow_hosting.sidecar import Sidecar
from orderflow_hosting.web import Site

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

OPENING_BACKOFF = Backoff(first=0.5, longest=0.5)
"""The sidecar usually comes up soon after the service."""


class OpeningStock:
    """Loads the opening stock as soon as the store answers."""

    def __init__(self, stock: StockService, settings: InventorySettings) -> None:
        self._stock = stock
        self._settings = settings
        self._done = False

    async def run(self) -> None:
        """Load it, unless it was loaded at an earlier start."""
        await self._stock.load_opening_stock(self._settings.opening_stock)
        self._done = True
        log.info("opening_stock_loaded")

    async def check(self) -> None:
        """Raise `StoreUnavailable` until it is loaded."""
        if not self._done:
            raise StoreUnavailable("the opening stock is not loaded yet")


async def run(settings: InventorySettings, resources: AsyncExitStack) -> None:
    """Wire the service, then serve until a signal ends it."""
    sidecar = await resources.enter_async_context(Sidecar(INVENTORY, settings))
    background = await resources.enter_async_context(BackgroundWork())
    store = DaprStore(sidecar)
    stock = StockService(store)
    opening = OpeningStock(stock, settings)
    app = DaprApp(settings)
    offer_methods(app, stock)

    async def check_store() -> None:
        await store.check()
        await stock.stock()

    health = health_router(
        {
            "store": check_store,
            "sidecar": sidecar.check,
            "calls": app.check_called,
            "opening_stock": opening.check,
        }
    )
    http = http_app(stock, health)
    Access(settings, INVENTORY, clock=now).install(http)
    Site("Inventory", clock=now).install(http, [reads()])
    background.retry(opening.run, "opening_stock_not_loaded", backoff=OPENING_BACKOFF)
    needs = {"the sidecar": sidecar.check, "the store": store.check}
    start_up = partial(refuse_without, needs, settings.start_seconds)
    await serve(settings, http, app, lambda: None, start_up)


def main() -> None:
    """Start the service process."""
    settings = load(InventorySettings)
    logs.configure("inventory", settings)
    start(run, settings)
