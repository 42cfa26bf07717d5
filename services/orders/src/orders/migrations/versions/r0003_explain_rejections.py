"""Rejections have a detail, invalid ones end a submission only, and events name orders.

An order may have the status `rejected` twice: as invalid, and later for another reason. So its
statuses are unique by sequence. On SQLite this copies the table.
"""
# ruff: noqa: S608 # the statements are made of the constants here, and of nothing else

from typing import Final

from alembic import op
from sqlalchemy import Column, String, Text

revision: Final = "0003"
down_revision: Final = "0002"

_LINES: Final = {
    "sqlite": (
        "SELECT json_extract(line.value, '$.item') AS item, NEW.number AS number,"
        " json_extract(line.value, '$.quantity') AS quantity FROM json_each(NEW.lines) AS line"
    ),
    "postgresql": (
        "SELECT line.value->>'item' AS item, NEW.number AS number,"
        " CAST(line.value->>'quantity' AS integer) AS quantity"
        " FROM json_array_elements(NEW.lines) AS line"
    ),
}


def upgrade() -> None:
    """Add columns that earlier versions ignore, a trigger, and the other constraint."""
    op.add_column("orders", Column("detail", Text))
    op.add_column("orders", Column("event_key", String(32), server_default=""))
    with op.batch_alter_table("order_statuses", naming_convention={"uq": _ONLY_NAME}) as table:
        is_sqlite = op.get_bind().dialect.name == "sqlite"
        table.add_column(Column("detail", Text))
        table.drop_constraint(
            _ONLY_NAME if is_sqlite else "order_statuses_order_id_status_key", type_="unique"
        )
        table.create_unique_constraint(
            "order_statuses_order_id_sequence_key", ["order_id", "sequence"]
        )
    _create_trigger(op.get_bind().dialect.name)


_ONLY_NAME: Final = "the_only_one"
"""SQLite has no name for the constraint; the table has one such constraint."""


def _create_trigger(dialect: str) -> None:
    """Replace the lines of an order when a valid submission follows an invalid one."""
    body = (
        "DELETE FROM order_lines WHERE number = OLD.number;"
        f" INSERT INTO order_lines (item, number, quantity) {_LINES[dialect]};"
    )
    head = (
        "CREATE TRIGGER order_is_corrected AFTER UPDATE OF lines ON orders FOR EACH ROW WHEN (true)"
    )
    if dialect == "sqlite":
        op.get_bind().exec_driver_sql(f"{head} BEGIN {body} END")
        return
    op.get_bind().exec_driver_sql(
        "CREATE OR REPLACE FUNCTION order_is_corrected() RETURNS trigger LANGUAGE plpgsql"
        f" AS $$ BEGIN {body} RETURN NULL; END $$"
    )
    op.get_bind().exec_driver_sql(f"{head} EXECUTE FUNCTION order_is_corrected()")
