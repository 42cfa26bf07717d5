from collections.abc import AsyncIterator, Iterator
from datetime import date
from pathlib import Path
from typing import Any, cast

import pytest
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from fakes.orders_ports import MemoryAnnouncer, MemoryEngine, RoomInventory
from fakes.schemas import FromModels
from orderflow_contracts.orders import Order, OrderDetails, OrderSubmitted
from orderflow_hosting.database import Database
from orders.config import OrdersSettings
from orders.ordering.activities import OrderActivities
from orders.ordering.api import NewOrder
from orders.ordering.feed import StatusFeed
from orders.ordering.service import Intake
from orders.ordering.store import OrderStore
from orders.ordering.undo import OrderUndo
from orders.payments.ledger import LedgerProvider
from orders.tables import TABLES


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    database = Database(f"sqlite:///{tmp_path}/orders.db", FromModels(TABLES))
    yield database
    database.close()


@pytest.fixture
def store(database: Database) -> OrderStore:
    return OrderStore(database)


@pytest.fixture
def payments(database: Database) -> LedgerProvider:
    return LedgerProvider(database)


@pytest.fixture
def feed(store: OrderStore) -> StatusFeed:
    return StatusFeed(store, shared=False)


@pytest.fixture
def announcer() -> MemoryAnnouncer:
    return MemoryAnnouncer()


@pytest.fixture
def engine() -> MemoryEngine:
    return MemoryEngine()


@pytest.fixture
async def inventory() -> RoomInventory:
    inventory = RoomInventory()
    await inventory.open()
    return inventory


@pytest.fixture
def settings() -> OrdersSettings:
    return OrdersSettings.model_validate({"APP_API_TOKEN": "a-token-for-tests"})


@pytest.fixture
def activities(
    store: OrderStore,
    inventory: RoomInventory,
    payments: LedgerProvider,
    announcer: MemoryAnnouncer,
    feed: StatusFeed,
    engine: MemoryEngine,
) -> OrderActivities:
    return OrderActivities(store, inventory, payments, announcer, feed, engine)


@pytest.fixture
async def intake(
    settings: OrdersSettings,
    store: OrderStore,
    engine: MemoryEngine,
    announcer: MemoryAnnouncer,
    feed: StatusFeed,
) -> AsyncIterator[Intake]:
    intake = Intake(settings, store, engine, announcer, feed, OrderUndo(engine, store))
    yield intake
    intake.stop()


@pytest.fixture
def one_more_field() -> Iterator[None]:
    """Give orders a field that the product does not have: it must need no further code."""
    models: list[type[BaseModel]] = [OrderDetails, OrderSubmitted, Order, NewOrder]
    added = FieldInfo(annotation=cast(Any, date | None), default=None, title="Delivery date")
    for model in models:
        model.__pydantic_fields__["delivery_date"] = added
        model.model_rebuild(force=True)
    yield
    for model in models:
        del model.__pydantic_fields__["delivery_date"]
        model.model_rebuild(force=True)
