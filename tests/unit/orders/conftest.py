from collections.abc import AsyncIterator, Iterator
from datetime import date
from pathlib import Path
from typing import Any, cast

import pytest
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from fakes.orders_ports import MemoryApprovals, MemoryEngine, Promised, RoomInventory
from fakes.pauses import short_pause
from fakes.schemas import FromModels
from orderflow_contracts.orders import Order, OrderDetails, OrderSubmitted, PlacedOrder
from orderflow_hosting.background import BackgroundWork
from orderflow_hosting.database import Database
from orderflow_hosting.migrations.new import models_of
from orderflow_hosting.pages import Page
from orders.config import OrdersSettings
from orders.ordering.activities import OrderActivities
from orders.ordering.api import NewOrder
from orders.ordering.feed import StatusFeed
from orders.ordering.service import Intake
from orders.ordering.store import OrderStore
from orders.ordering.undo import OrderUndo
from orders.payments.built_in import BuiltInProvider
from orders.payments.service import RecordedPayments
from orders.payments.store import PaymentStore


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    database = Database(f"sqlite:///{tmp_path}/orders.db", FromModels(models_of("orders")[0]))
    yield database
    database.close()


@pytest.fixture
def store(database: Database) -> OrderStore:
    return OrderStore(database, new_run_id=lambda: "run")


@pytest.fixture
def payments(database: Database) -> RecordedPayments:
    return RecordedPayments(BuiltInProvider(), PaymentStore(database))


@pytest.fixture
def feed(store: OrderStore) -> StatusFeed:
    return StatusFeed(store, shared=False)


@pytest.fixture
def publisher(database: Database) -> Promised:
    return Promised(database)


@pytest.fixture
def engine() -> MemoryEngine:
    return MemoryEngine()


@pytest.fixture
def approvals() -> MemoryApprovals:
    return MemoryApprovals()


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
    payments: RecordedPayments,
    feed: StatusFeed,
    engine: MemoryEngine,
    approvals: MemoryApprovals,
) -> OrderActivities:
    return OrderActivities(store, inventory, payments, feed, engine, approvals)


@pytest.fixture
async def intake(
    settings: OrdersSettings,
    store: OrderStore,
    engine: MemoryEngine,
    feed: StatusFeed,
) -> AsyncIterator[Intake]:
    undo = OrderUndo(engine, store)
    async with BackgroundWork(short_pause) as background:
        yield Intake(settings, store, engine, feed, undo, background)


ORDER_MODELS: list[type[BaseModel]] = [OrderDetails, OrderSubmitted, PlacedOrder, Order, NewOrder]
ADDED_FIELD = "field_of_a_test"


@pytest.fixture
def one_more_field() -> Iterator[None]:
    """Add a field to orders that the product does not have: it must need no further code."""
    added = FieldInfo(annotation=cast(Any, date | None), default=None, title="Field of a test")
    for model in ORDER_MODELS:
        assert ADDED_FIELD not in model.__pydantic_fields__, (
            "the fixture would replace a real field"
        )
        model.__pydantic_fields__[ADDED_FIELD] = added
    _rebuild_models()
    yield
    for model in ORDER_MODELS:
        del model.__pydantic_fields__[ADDED_FIELD]
    _rebuild_models()


def _rebuild_models() -> None:
    page: type[BaseModel] = Page[Order]  # pydantic keeps this model and what it was built from
    for model in (*ORDER_MODELS, page):
        model.model_rebuild(force=True)
