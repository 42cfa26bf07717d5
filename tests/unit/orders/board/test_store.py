"""What the board reads: counts, and pages at a cost that does not grow."""

import asyncio
import json
import sqlite3
import unicodedata
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, event, insert, text

from fakes.schemas import FromModels, migrated
from orderflow_contracts.orders import OrderLine, OrderStatus, OrderSubmitted
from orderflow_hosting.database import Database
from orderflow_hosting.engines import open_engine
from orderflow_hosting.folding import fold
from orderflow_hosting.spellings import backfill_spellings
from orders.board import search
from orders.board.search import OrderFilter
from orders.board.store import BoardStore
from orders.board.tables import SOURCES
from orders.migrations.first_tables import TABLES as FIRST_TABLES
from orders.ordering.store import OrderStore
from orders.tables import ORDERS, SCHEMA, TABLES

START = datetime(2026, 11, 1, tzinfo=UTC)
names = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=128).filter(
    str.isprintable
)
ONE_CAR = (OrderLine(item="cars", quantity=1),)
COUNTED_AT_EACH = 100
"""The virtual machine's steps are counted by the hundred."""


@pytest.fixture
def board(database: Database) -> BoardStore:
    return BoardStore(database)


def order(
    order_id: str, customer_id: str = "alice", lines: tuple[OrderLine, ...] = ONE_CAR
) -> OrderSubmitted:
    return OrderSubmitted(order_id=order_id, customer_id=customer_id, lines=lines)


async def ids(board: BoardStore, wanted: OrderFilter, limit: int = 50) -> list[str]:
    """Return all orders found, page by page."""
    found: list[str] = []
    after = None
    while True:
        page = await board.search(wanted, limit, after)
        found += [each.order_id for each in page.orders]
        if page.next is None:
            return found
        after = page.next


async def store_many(
    database: Database, count: int, change: Callable[[int], dict[str, Any]] = lambda _: {}
) -> None:
    """Store this many orders, a second apart, in one statement."""
    rows = [
        {
            "order_id": f"o{number:06}",
            "customer_id": f"c{number % 10}",
            "lines": [{"item": "cars" if number % 2 else "paperclip", "quantity": number % 7 + 1}],
            "status": "completed",
            "sequence": 1,
            "created_at": START + timedelta(seconds=number),
            "updated_at": START + timedelta(seconds=number),
            **change(number),
        }
        for number in range(1, count + 1)
    ]
    await database.write(lambda connection: connection.execute(insert(ORDERS), rows))


SPELLINGS = ("José", "Jose\u0301", "JOSÉ", "jose")
CAFES = ("café", "CAFE", "Cafe\u0301")


def spelled(number: int) -> dict[str, Any]:
    """Write the names of an order in one of several ways."""
    lines = [{"item": CAFES[number % len(CAFES)], "quantity": 1}, {"item": "cars", "quantity": 1}]
    return {"customer_id": SPELLINGS[number % len(SPELLINGS)], "lines": lines}


async def spell(database: Database) -> None:
    """Index the spellings of all names."""
    for source in SOURCES:
        await backfill_spellings(database, source)


async def test_orders_are_counted_by_their_status(store: OrderStore, board: BoardStore) -> None:
    """Each change moves an order from one count to another; a refused change does not."""
    for order_id in ("a", "b", "c"):
        await store.accept(order(order_id))
    await store.accept(order("a"))
    await store.record("a", "run", OrderStatus.RESERVED)
    await store.record("a", "run", OrderStatus.RESERVED)
    await store.record("b", "run", OrderStatus.COMPLETED)
    await store.record("b", "run", OrderStatus.FAILED)
    await store.reject_invalid("bad")

    counts = await board.counts()

    assert {status: count for status, count in counts.items() if count} == {
        "received": 1,
        "reserved": 1,
        "completed": 1,
        "rejected": 1,
    }
    assert list(counts) == list(OrderStatus)


async def test_a_failed_transaction_changes_no_count(database: Database, board: BoardStore) -> None:
    """The counts are part of the change's transaction, and rolled back with it."""

    def fail(connection: Connection) -> None:
        connection.execute(text("UPDATE orders SET status = 'failed'"))
        raise ValueError("no")

    await store_many(database, 3)
    with pytest.raises(ValueError, match="no"):
        await database.write(fail)

    assert (await board.counts())[OrderStatus.COMPLETED] == 3


async def test_items_count_as_sold_when_their_order_completes(
    store: OrderStore, board: BoardStore
) -> None:
    """Each completed order counts once, by item."""
    some = (OrderLine(item="cars", quantity=2), OrderLine(item="<b>\"é' ☃", quantity=3))
    await store.accept(order("a", lines=some))
    await store.accept(order("b"))
    await store.accept(order("c"))
    await store.record("a", "run", OrderStatus.PAID)
    assert await board.sold() == {}

    await store.record("a", "run", OrderStatus.COMPLETED)
    await store.record("a", "run", OrderStatus.COMPLETED)
    await store.record("b", "run", OrderStatus.COMPLETED)
    await store.record("c", "run", OrderStatus.CANCELLED)

    assert await board.sold() == {"cars": 3, "<b>\"é' ☃": 3}
    assert await ids(board, OrderFilter(item="<b>\"é' ☃")) == ["a"]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (OrderFilter(), ["o5", "o4", "o3", "o2", "o1"]),
        (OrderFilter(order_id="o3"), ["o3"]),
        (OrderFilter(order_id="o"), ["o1", "o2", "o3", "o4", "o5"]),
        (OrderFilter(order_id="x"), []),
        (OrderFilter(customer_id="bob"), ["o4", "o2"]),
        (OrderFilter(item="cars"), ["o5", "o3", "o1"]),
        (OrderFilter(item="cars", customer_id="bob"), []),
        (OrderFilter(status=OrderStatus.PAID), ["o4"]),
        (OrderFilter(status=OrderStatus.PAID, item="paperclip", customer_id="bob"), ["o4"]),
        (OrderFilter(status=OrderStatus.PAID, item="cars"), []),
        (OrderFilter(order_id="o", status=OrderStatus.RECEIVED, item="paperclip"), ["o2"]),
        (OrderFilter(since=START + timedelta(hours=3)), ["o5", "o4", "o3"]),
        (OrderFilter(until=START + timedelta(hours=3)), ["o2", "o1"]),
        (
            OrderFilter(since=START + timedelta(hours=2), until=START + timedelta(hours=4)),
            ["o3", "o2"],
        ),
        (OrderFilter(since=START + timedelta(days=2)), []),
        (OrderFilter(until=START), []),
        (OrderFilter(item="cars", since=START + timedelta(hours=2)), ["o5", "o3"]),
    ],
)
async def test_a_search_combines_its_filters(
    database: Database, board: BoardStore, wanted: OrderFilter, found: list[str]
) -> None:
    """All filters must match, and pages of any size together have each order once."""
    await store_many(
        database,
        5,
        lambda number: {
            "order_id": f"o{number}",
            "customer_id": "alice" if number % 2 else "bob",
            "status": "paid" if number == 4 else "received",
            "created_at": START + timedelta(hours=number),
        },
    )

    for limit in (1, 2, 50):
        assert await ids(board, wanted, limit) == found


async def test_a_cursor_of_another_list_is_refused(database: Database, board: BoardStore) -> None:
    """Only cursors of the same search are accepted."""
    await store_many(database, 3)

    for place in ("", "x1", "n", "nx", "n1;", "o000001"):
        with pytest.raises(ValueError, match="not a position"):
            await board.search(OrderFilter(), 2, place)
    for place in ("n1", "io\0", ""):
        with pytest.raises(ValueError, match="not a position"):
            await board.search(OrderFilter(order_id="o"), 2, place)


async def test_a_page_reads_a_limited_number_of_orders(
    database: Database, board: BoardStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If few match, a page ends early, and the next one goes on from there."""
    monkeypatch.setattr(search, "LOOKED_THROUGH", 20)
    await store_many(
        database, 100, lambda number: {"customer_id": "eve" if number == 1 else "alice"}
    )

    first = await board.search(OrderFilter(item="cars", customer_id="eve"), 10)

    assert (first.orders, first.next is not None) == ((), True)
    assert await ids(board, OrderFilter(item="cars", customer_id="eve")) == ["o000001"]


async def test_a_rare_status_is_found_at_once(
    database: Database, board: BoardStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The few orders that need attention are read before the many with an item."""
    monkeypatch.setattr(search, "LOOKED_THROUGH", 20)
    await store_many(
        database, 200, lambda number: {"status": "failed" if number == 1 else "completed"}
    )

    found = await board.search(OrderFilter(item="cars", status=OrderStatus.FAILED), 10)

    assert ([each.order_id for each in found.orders], found.next) == (["o000001"], None)


ALL_WAYS = {
    "newest": OrderFilter(),
    "deep": OrderFilter(),
    "id": OrderFilter(order_id="o000123"),
    "part of an id": OrderFilter(order_id="o"),
    "customer": OrderFilter(customer_id="c3"),
    "item": OrderFilter(item="cars"),
    "status": OrderFilter(status=OrderStatus.COMPLETED),
    "time": OrderFilter(since=START + timedelta(seconds=100), until=START + timedelta(seconds=900)),
    "spellings": OrderFilter(customer_id="JOSE"),
    "item's spellings": OrderFilter(item="C\u0061fe"),
    "all": OrderFilter(item="cars", customer_id="c3", status=OrderStatus.COMPLETED, since=START),
}


@pytest.mark.parametrize("way", ALL_WAYS)
async def test_every_search_uses_an_index(database: Database, way: str) -> None:
    """SQLite's plan never scans or sorts a whole table."""
    await store_many(database, 50)
    await spell(database)
    plans: list[str] = []

    def work(connection: Connection) -> None:
        statements: list[tuple[str, Any]] = []

        @event.listens_for(connection, "before_cursor_execute")
        def note(_c: object, _u: object, statement: str, values: Any, *_: object) -> None:
            statements.append((statement, values))

        search.search_within(connection, ALL_WAYS[way], 20, "n40" if way == "deep" else None)
        searched = statements.copy()
        for statement, values in searched:
            explained = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)
            plans.extend(row.detail for row in explained)

    await database.read(work)

    of_one_window = {"MATERIALIZE anon_1", "SCAN anon_1", "USE TEMP B-TREE FOR ORDER BY"}
    if way == "newest":
        of_one_window.add("SCAN orders")  # along its key, until a page is full
    others = {plan for plan in plans if not plan.startswith(("SEARCH ", "CORRELATED SCALAR"))}
    assert plans
    assert others <= of_one_window


async def steps(database: Database, wanted: OrderFilter, after: str | None) -> int:
    """Count the virtual machine steps that SQLite needs for a page."""
    counted = 0

    def count() -> None:
        nonlocal counted
        counted += COUNTED_AT_EACH

    def work(connection: Connection) -> None:
        driver: Any = connection.connection.dbapi_connection
        assert isinstance(driver, sqlite3.Connection)
        driver.set_progress_handler(count, COUNTED_AT_EACH)
        try:
            search.search_within(connection, wanted, 50, after)
        finally:
            driver.set_progress_handler(None, 0)

    await database.read(work)
    return counted


async def test_the_cost_of_a_page_does_not_grow_with_the_table(tmp_path: Path) -> None:
    """With 10,000 orders, ten times as many, no page takes notably more steps."""
    costs = []
    for count in (1_500, 10_000):
        database = Database(f"sqlite:///{tmp_path}/{count}.db", FromModels(TABLES))
        board = BoardStore(database)
        await store_many(database, count, spelled)
        await spell(database)
        costs.append(
            {
                way: await steps(database, wanted, "n800" if way == "deep" else None)
                for way, wanted in ALL_WAYS.items()
            }
        )
        assert (await board.counts())[OrderStatus.COMPLETED] == count
        database.close()

    few, many = costs
    assert {way for way in many if many[way] > 2 * few[way] + 2_000} == set()
    assert max(many.values()) < 100_000


@pytest.mark.parametrize("limit", [1, 50])
async def test_names_are_found_in_all_spellings(
    store: OrderStore, board: BoardStore, limit: int
) -> None:
    """Case and accents do not matter; each order is found once, in order."""
    for number, customer in enumerate(SPELLINGS):
        lines = tuple(OrderLine(item=item, quantity=1) for item in CAFES)
        await store.accept(order(f"o{number}", customer, lines))
    await store.accept(order("other", "josef", (OrderLine(item="cafeteria", quantity=1),)))
    newest_first = [f"o{number}" for number in reversed(range(len(SPELLINGS)))]

    for customer in (*SPELLINGS, "JOSe\u0301"):
        assert await ids(board, OrderFilter(customer_id=customer), limit) == newest_first
    for item in (*CAFES, "CAFÉ"):
        assert await ids(board, OrderFilter(item=item), limit) == newest_first
        both = OrderFilter(item=item, customer_id="JOSE", status=OrderStatus.RECEIVED)
        assert await ids(board, both, limit) == newest_first
    for nobody in ("%", "jos_", "jos", "\u0301"):
        assert await ids(board, OrderFilter(customer_id=nobody), limit) == []


@pytest.mark.parametrize("limit", [1, 2, 50])
async def test_ids_are_found_in_either_case(
    store: OrderStore, board: BoardStore, limit: int
) -> None:
    """Ids that differ only in case are different orders, and all are found."""
    for order_id in ("My-1", "my-1", "MY-1", "my-10", "my_1", "mz"):
        await store.accept(order(order_id))

    for typed in ("my-1", "MY-1", "\uff2d\uff59-1"):
        found = await ids(board, OrderFilter(order_id=typed), limit)
        assert found == ["MY-1", "My-1", "my-1", "my-10"]
    assert await ids(board, OrderFilter(order_id="m"), limit) == [*found, "my_1", "mz"]
    assert await ids(board, OrderFilter(order_id="m%"), limit) == []


async def test_names_of_an_earlier_version_are_found_in_all_spellings(
    database: Database, board: BoardStore
) -> None:
    """They are noted some at a time, by several replicas at once, and once more does nothing."""
    await store_many(database, 1_200, lambda number: {"customer_id": f"{'É' * 3}{number}"})
    await store_many(database, 3, lambda number: {**spelled(number), "order_id": f"s{number}"})
    assert await ids(board, OrderFilter(customer_id="ÉÉÉ7")) == ["o000007"]

    await asyncio.gather(*(spell(database) for _ in range(3)))
    await spell(database)

    assert await ids(board, OrderFilter(customer_id="eee7")) == ["o000007"]
    assert await ids(board, OrderFilter(customer_id="jose")) == ["s3", "s2", "s1"]
    assert await ids(board, OrderFilter(item="cafe")) == ["s3", "s2", "s1"]


@given(some=st.lists(names, min_size=20, max_size=20, unique_by=fold))
@settings(suppress_health_check=list(HealthCheck), max_examples=3, deadline=None)
def test_any_name_is_found_by_any_of_its_spellings(tmp_path: Path, some: list[str]) -> None:
    """Length and characters of the folded name do not matter."""

    async def work() -> None:
        database = Database(f"sqlite:///{tmp_path}/{uuid.uuid4().hex}.db", FromModels(TABLES))
        store, board = OrderStore(database), BoardStore(database)
        for number, name in enumerate(some):
            await store.accept(order(f"o{number}", name))
        for number, name in enumerate(some):
            for variant in (name.upper(), name.lower(), unicodedata.normalize("NFD", name)):
                assert await ids(board, OrderFilter(customer_id=variant)) == [f"o{number}"]
        database.close()

    asyncio.run(work())


async def test_orders_of_an_earlier_version_are_counted_and_found(tmp_path: Path) -> None:
    """An older file is counted when it is opened, and its items are indexed."""
    path = tmp_path / "orders.db"
    added = {"order_counts", "item_sales", "order_lines", "order_lines_left"}
    engine = open_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        first = [table for table in FIRST_TABLES.sorted_tables if table.name not in added]
        FIRST_TABLES.create_all(connection, tables=first)
    engine.dispose()
    with sqlite3.connect(path) as file:
        file.execute("DROP INDEX orders_by_customer")
        lines = json.dumps([{"item": "cars", "quantity": 2}, {"item": "pens", "quantity": 1}])
        orders = [(f"o{i}", lines, "completed" if i % 2 else "failed") for i in range(1_200)]
        one_car = json.dumps([{"item": "cars", "quantity": 1}])
        file.executemany(
            "INSERT INTO orders (order_id, customer_id, lines, status, sequence, created_at,"
            " updated_at) VALUES (?, 'old', ?, ?, 1, '2026-01-01 00:00:00', '2026-01-01 00:00:00')",
            [("warm-up", one_car, "received"), *orders],
        )
    file.close()

    database = Database(migrated(f"sqlite:///{path}", SCHEMA), SCHEMA)
    board = BoardStore(database)
    store = OrderStore(database)
    await store.accept(order("new"))
    before = (await board.is_whole(), await ids(board, OrderFilter(item="cars")))
    await board.fill()
    await store.record("warm-up", "run", OrderStatus.COMPLETED)

    assert before == (False, ["new"])
    assert await board.is_whole()
    assert len(await ids(board, OrderFilter(item="cars"))) == 1_202
    assert len(await ids(board, OrderFilter(item="pens"))) == 1_200
    counts = await board.counts()
    assert (counts[OrderStatus.COMPLETED], counts[OrderStatus.FAILED]) == (601, 600)
    assert await board.sold() == {"cars": 1_201, "pens": 600}
    with sqlite3.connect(path) as file:
        names = {row[0] for row in file.execute("SELECT name FROM sqlite_master")}
    file.close()
    database.close()
    assert "orders_by_customer" in names
