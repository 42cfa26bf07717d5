"""Orders works with the migrated database of an earlier version."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from fakes.migrated_services import EARLIER, earlier_database
from fakes.schemas import migrated
from orderflow_contracts.orders import OrderLine, OrderStatus, OrderSubmitted
from orderflow_hosting.database import Database
from orderflow_hosting.spellings import backfill_spellings
from orders.board.search import OrderFilter
from orders.board.store import BoardStore
from orders.board.tables import SOURCES
from orders.ordering.store import OrderStore
from orders.tables import SCHEMA


@pytest.fixture(params=EARLIER)
def adopted(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """Migrate the file of an earlier version, and open it."""
    path = tmp_path / "orders.db"
    with sqlite3.connect(path) as file:
        file.executescript(earlier_database("orders", request.param, "sqlite"))
    file.close()
    database = Database(migrated(f"sqlite:///{path}", SCHEMA), SCHEMA)
    yield database
    database.close()


async def test_a_waiting_order_of_an_earlier_version_is_completed(adopted: Database) -> None:
    """The run that the earlier version started still owns it."""
    store = OrderStore(adopted)
    pending = {each.order.order_id: each.run_id for each in await store.unfinished()}
    assert pending["waits-1"] == "run2"

    for status in (OrderStatus.APPROVED, OrderStatus.PAID, OrderStatus.COMPLETED):
        assert await store.record("waits-1", "run2", status) is not None

    order = await store.order("waits-1")
    assert order is not None
    assert [(each.sequence, each.status) for each in order.history] == [
        (1, OrderStatus.RECEIVED),
        (2, OrderStatus.RESERVED),
        (3, OrderStatus.AWAITING_APPROVAL),
        (4, OrderStatus.APPROVED),
        (5, OrderStatus.PAID),
        (6, OrderStatus.COMPLETED),
    ]


async def test_orders_of_an_earlier_version_are_on_the_board(adopted: Database) -> None:
    """They are counted and found."""
    board = BoardStore(adopted)
    await OrderStore(adopted).accept(
        OrderSubmitted(
            order_id="new-1", customer_id="jose", lines=(OrderLine(item="cars", quantity=1),)
        )
    )
    await board.fill()
    for source in SOURCES:
        await backfill_spellings(adopted, source)

    by_item = await board.search(OrderFilter(item="CARS"), 10)
    by_customer = await board.search(OrderFilter(customer_id="JOSE"), 10)

    assert [each.order_id for each in by_item.orders] == ["new-1", "waits-1", "Done-1"]
    assert [each.order_id for each in by_customer.orders] == ["new-1", "Done-1"]
    counts = await board.counts()
    assert counts[OrderStatus.COMPLETED] == counts[OrderStatus.AWAITING_APPROVAL] == 1
    assert await board.sold() == {"cars": 2, "paperclip": 5}
