"""Batches on topics in memory, and their store."""

import pytest

from fakes.events import TopicsInMemory
from fakes.managed_engine import ManagedMemoryEngine
from orderflow_hosting.background import BackgroundWork
from orderflow_hosting.database import Database
from orders.batches.api import subscribe_to_batches
from orders.batches.service import Batches
from orders.batches.store import BatchStore
from orders.config import OrdersSettings
from orders.ordering.feed import StatusFeed
from orders.ordering.new_runs import NewRuns
from orders.ordering.store import OrderStore
from orders.ordering.undo import OrderUndo
from orders.saved_histories import SavedHistories
from orders.tables import DEAD_LETTERS, PARKED_EVENTS


@pytest.fixture
def batch_store(database: Database) -> BatchStore:
    return BatchStore(database)


@pytest.fixture
def topics(
    settings: OrdersSettings,
    database: Database,
    store: OrderStore,
    batch_store: BatchStore,
    feed: StatusFeed,
) -> TopicsInMemory:
    topics, engine = (
        TopicsInMemory(database, DEAD_LETTERS, PARKED_EVENTS),
        ManagedMemoryEngine(),
    )
    undo = OrderUndo(engine, store)
    batches = Batches(
        *(settings, batch_store, engine, feed),
        *(undo, topics.letters, BackgroundWork()),
        new_runs=NewRuns(settings, store, SavedHistories(database), engine),
    )
    subscribe_to_batches(topics.topics, batches)
    return topics
