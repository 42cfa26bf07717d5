"""The board's own tables, which triggers update with each change of an order.

Triggers cost an order almost nothing, and they also work for a replica of an earlier version,
which does not know these tables.
"""
# ruff: noqa: S608 # the statements are made of the constants here, and of nothing else

from collections.abc import Iterable, Sequence
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Integer,
    MetaData,
    String,
    Table,
    event,
    text,
)

from orderflow_contracts.orders import OrderStatus
from orderflow_hosting.access.audit import SUBJECT
from orderflow_hosting.spellings import Source
from orders.tables import ACCESS, CUSTOMER, ITEM, ORDERS, TABLES

COUNTS = Table(
    "order_counts",
    TABLES,
    Column("status", String(32), primary_key=True),
    Column("orders", BigInteger, nullable=False),
)
"""How many orders have each status."""

SALES = Table(
    "item_sales",
    TABLES,
    Column("item", String(128), primary_key=True),
    Column("pieces", BigInteger, nullable=False),
)
"""How many units of each item were sold, in completed orders."""

LINES = Table(
    "order_lines",
    TABLES,
    Column("item", String(128), primary_key=True),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("quantity", Integer, nullable=False),
    sqlite_with_rowid=False,
)
"""The items of each order, by the order's number."""

SOURCES: Final[Sequence[Source]] = (
    (CUSTOMER, ORDERS.c.customer_id),
    (ITEM, LINES.c.item),
    (SUBJECT, ACCESS.audit.c.subject),
)
"""The names that are searched in any spelling."""

LINES_LEFT = Table(
    "order_lines_left",
    TABLES,
    Column("through", BigInteger, primary_key=True, autoincrement=False),
)
"""One row: orders of an earlier version up to this number still lack their lines."""

_LINES_OF: Final = {
    "sqlite": (
        "SELECT json_extract(line.value, '$.item') AS item, {order}.number AS number,"
        " json_extract(line.value, '$.quantity') AS quantity FROM {source}json_each({order}.lines)"
        " AS line"
    ),
    "postgresql": (
        "SELECT line.value->>'item' AS item, {order}.number AS number,"
        " CAST(line.value->>'quantity' AS integer) AS quantity"
        " FROM {source}json_array_elements({order}.lines) AS line"
    ),
}
_ADD_COUNT: Final = (
    "INSERT INTO order_counts (status, orders) VALUES (NEW.status, 1)"
    " ON CONFLICT (status) DO UPDATE SET orders = order_counts.orders + 1"
)
_TAKE_COUNT: Final = "UPDATE order_counts SET orders = orders - 1 WHERE status = OLD.status"
_DROP_LINES: Final = "DELETE FROM order_lines WHERE number = OLD.number"
_HAS_CHANGED: Final = "NEW.status <> OLD.status"
_IS_SOLD: Final = f"{_HAS_CHANGED} AND NEW.status = '{OrderStatus.COMPLETED}'"


def _create_triggers(dialect: str) -> Iterable[str]:
    of_new = _LINES_OF[dialect].format(order="NEW", source="")
    add_lines = f"INSERT INTO order_lines (item, number, quantity) {of_new}"
    add_sales = (
        f"INSERT INTO item_sales (item, pieces) SELECT item, quantity FROM ({of_new}) AS sold"
        " WHERE true ON CONFLICT (item) DO UPDATE SET pieces = item_sales.pieces + excluded.pieces"
    )
    yield from _trigger(dialect, "order_is_new", "INSERT", "true", _ADD_COUNT, add_lines)
    yield from _trigger(
        dialect, "order_moves_on", "UPDATE OF status", _HAS_CHANGED, _TAKE_COUNT, _ADD_COUNT
    )
    yield from _trigger(
        *(dialect, "order_is_corrected", "UPDATE OF lines", "true", _DROP_LINES, add_lines)
    )
    yield from _trigger(dialect, "order_is_sold", "UPDATE OF status", _IS_SOLD, add_sales)


def _trigger(dialect: str, name: str, when: str, condition: str, *actions: str) -> Iterable[str]:
    body = " ".join(f"{action};" for action in actions)
    head = f"CREATE TRIGGER {name} AFTER {when} ON orders FOR EACH ROW WHEN ({condition})"
    if dialect == "sqlite":
        yield f"{head} BEGIN {body} END"
        return
    yield (
        f"CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql"
        f" AS $$ BEGIN {body} RETURN NULL; END $$"
    )
    yield f"{head} EXECUTE FUNCTION {name}()"


def _fill(dialect: str) -> Iterable[str]:
    """Count the existing orders. Their lines, which are many, are added later in small steps."""
    lines = _LINES_OF[dialect].format(order="orders", source="orders, ")
    yield (
        "INSERT INTO order_counts (status, orders)"
        " SELECT status, count(*) FROM orders GROUP BY status"
    )
    yield (
        "INSERT INTO item_sales (item, pieces) SELECT item, sum(quantity) FROM"
        f" ({lines} WHERE orders.status = '{OrderStatus.COMPLETED}') AS sold GROUP BY item"
    )
    yield "INSERT INTO order_lines_left (through) SELECT coalesce(max(number), 0) FROM orders"


def fill_lines(connection: Connection, most: int) -> bool:
    """Add lines of some orders of earlier versions, newest first; return False if none is left."""
    through = int(connection.execute(text("SELECT through FROM order_lines_left")).scalar_one())
    if through <= 0:
        return False
    lines = _LINES_OF[connection.dialect.name].format(order="orders", source="orders, ")
    connection.execute(
        text(
            f"INSERT INTO order_lines (item, number, quantity) {lines}"
            " WHERE orders.number > :after AND orders.number <= :through"
            " ON CONFLICT (item, number) DO NOTHING"
        ),
        {"after": through - most, "through": through},
    )
    connection.execute(
        text("UPDATE order_lines_left SET through = :after"), {"after": through - most}
    )
    return through > most


@event.listens_for(TABLES, "after_create")
def _begin(_: MetaData, connection: Connection, *, tables: list[Table], **__: Any) -> None:
    """Create the triggers in the transaction that creates the tables, so that none is missed."""
    if COUNTS not in tables:
        return
    dialect = connection.dialect.name
    for statement in (*_create_triggers(dialect), *_fill(dialect)):
        connection.exec_driver_sql(statement)
