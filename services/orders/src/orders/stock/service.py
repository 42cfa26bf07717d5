"""Stock monitors: one workflow for each item, started with the service, and its activities."""

import hashlib
import re
from functools import partial
from typing import Final

import structlog
from dapr.ext.workflow import WorkflowActivityContext

from orderflow_contracts.fields import Clock, now
from orderflow_contracts.inventory import LowStock
from orderflow_hosting.background import BackgroundWork
from orderflow_hosting.database import Database
from orderflow_hosting.outbox import add_within
from orderflow_workflow_runtime.ports import ManagedEngine
from orders.config import OrdersSettings
from orders.outgoing import stock_is_low
from orders.own_instances import MONITORS
from orders.ports import Inventory
from orders.stock.messages import Monitored, StockLevel

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

END_SECONDS: Final = 60.0
"""How long a terminated monitor may take to end."""


def subject_of(item: str) -> str:
    """Return the subject of an item's monitor: its name, or a digest if that cannot be in an id."""
    fits = re.fullmatch(r"[A-Za-z0-9_-]{1,50}", item)
    return item if fits else hashlib.sha256(item.encode()).hexdigest()[:32]


class StockMonitors:
    """Starts the monitors and runs their activities."""

    def __init__(
        self,
        settings: OrdersSettings,
        engine: ManagedEngine,
        inventory: Inventory,
        database: Database,
        background: BackgroundWork,
        clock: Clock = now,
    ) -> None:
        self._clock = clock
        self._settings = settings
        self._engine = engine
        self._inventory = inventory
        self._database = database
        self._background = background

    async def start(self) -> None:
        """Start a monitor for each configured item unless it is running."""
        for item in self._settings.low_stock_thresholds:
            self._background.retry(
                partial(self._start, item), "stock_monitor_start_delayed", item=item
            )

    async def check_stock_activity(
        self, _: WorkflowActivityContext, monitored: Monitored
    ) -> StockLevel:
        """Return the quantity available and the current configuration."""
        stock = await self._inventory.stock()
        available = {entry.item: entry.available for entry in stock.items}
        threshold = self._settings.low_stock_thresholds.get(monitored.item)
        if threshold is not None and monitored.item not in available:
            log.warning("monitored_item_unknown", item=monitored.item)
        return StockLevel(
            item=monitored.item,
            available=available.get(monitored.item),
            threshold=threshold,
            pause_seconds=self._settings.stock_check_seconds,
            low_pause_seconds=self._settings.low_stock_check_seconds,
            checked_at=self._clock(),
        )

    async def report_low_stock_activity(
        self, _: WorkflowActivityContext, level: StockLevel
    ) -> None:
        """Promise to publish that stock is low; a repeated event has the same id."""
        low = LowStock(
            item=level.item, available=level.available or 0, threshold=level.threshold or 0
        )
        report = stock_is_low(low, f"{level.item}.{level.checked_at.isoformat()}")
        await self._database.write(lambda connection: add_within(connection, report))
        log.warning("stock_is_low", **low.model_dump())

    async def _start(self, item: str) -> None:
        monitored = Monitored(item=item)
        former = await MONITORS.find_former(self._engine, subject_of(item))
        if former is not None:  # replaced, with what it has reported
            monitored = Monitored.model_validate(former.input)
            await self._engine.terminate(former.instance_id, None)
            await self._engine.finished(former.instance_id, END_SECONDS)
        if await MONITORS.start_once(self._engine, subject_of(item), monitored):
            log.info("stock_monitor_started", item=item)
