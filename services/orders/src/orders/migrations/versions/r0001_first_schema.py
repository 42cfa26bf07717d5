"""The first schema, which also adopts databases that earlier versions created.

If the board's tables are new, existing orders are counted here. Their lines, which may be many, are
written by the service in the background, some at a time: `BoardStore.fill`.
"""
# ruff: noqa: S608 # the statements are made of the constants here, and of nothing else

from collections.abc import Iterable
from typing import Final

from alembic import op

from orderflow_hosting.migrations.adoption import adopt
from orderflow_hosting.migrations.first_tables import protect_audit
from orders.migrations.first_tables import TABLES

revision: Final = "0001"
down_revision: Final = None


def upgrade() -> None:
    """Create what is missing."""
    connection = op.get_bind()
    made = adopt(connection, TABLES)
    protect_audit(connection, made)
    if "order_counts" in made:
        dialect = connection.dialect.name
        for statement in (*_create_triggers(dialect), *_count(dialect)):
            connection.exec_driver_sql(statement)


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
_HAS_CHANGED: Final = "NEW.status <> OLD.status"
_IS_SOLD: Final = f"{_HAS_CHANGED} AND NEW.status = 'completed'"


def _create_triggers(dialect: str) -> Iterable[str]:
    """Update the board's tables by triggers, so that replicas of any version update them."""
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


def _count(dialect: str) -> Iterable[str]:
    """Count the existing orders."""
    lines = _LINES_OF[dialect].format(order="orders", source="orders, ")
    yield (
        "INSERT INTO order_counts (status, orders)"
        " SELECT status, count(*) FROM orders GROUP BY status"
    )
    yield (
        "INSERT INTO item_sales (item, pieces) SELECT item, sum(quantity) FROM"
        f" ({lines} WHERE orders.status = 'completed') AS sold GROUP BY item"
    )
    yield "INSERT INTO order_lines_left (through) SELECT coalesce(max(number), 0) FROM orders"
