"""The tables of orders as the first revision creates them; they never change."""

from typing import Final

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    UniqueConstraint,
    collate,
)

from orderflow_hosting.migrations.first_tables import (
    MOMENT,
    NUMBER,
    add_hosting_tables,
    index_any_case,
)

TABLES: Final = MetaData()
add_hosting_tables(TABLES, "order_id")

_ORDER_ID: Final = Table(
    "orders",
    TABLES,
    Column("number", NUMBER, primary_key=True),
    Column("order_id", String(64), nullable=False, unique=True),
    Column("customer_id", String(128), nullable=False),
    Column("lines", JSON, nullable=False),
    Column("details", JSON),
    Column("status", String(32), nullable=False),
    Column("reason", String(64)),
    Column("total_cents", BigInteger),
    Column("sequence", Integer, nullable=False),
    Column("run_id", String(32)),
    Column("cancel_requested_at", MOMENT),
    Column("created_at", MOMENT, nullable=False),
    Column("updated_at", MOMENT, nullable=False),
    Index("orders_by_status", "status", "number"),
    Index("orders_by_customer", "customer_id", "number"),
    Index("orders_by_time", "created_at"),
).c.order_id
Index("orders_by_plain_id", collate(_ORDER_ID, "C")).ddl_if(dialect="postgresql")
index_any_case("orders_by_any_case_id", _ORDER_ID)
Table(
    "order_statuses",
    TABLES,
    Column("position", NUMBER, primary_key=True),
    Column("order_id", String(64), ForeignKey("orders.order_id"), nullable=False),
    Column("sequence", Integer, nullable=False),
    Column("status", String(32), nullable=False),
    Column("reason", String(64)),
    Column("total_cents", BigInteger),
    Column("at", MOMENT, nullable=False),
    UniqueConstraint("order_id", "status"),
)
Table(
    "undo_retries",
    TABLES,
    Column("order_id", String(64), ForeignKey("orders.order_id"), primary_key=True),
    Column("retries", Integer, nullable=False),
    Column("retried_by", String(128), nullable=False),
    Column("retrying_since", MOMENT),
    Column("not_undone", JSON),
    Column("failed_at", MOMENT),
    Column("settled_at", MOMENT),
    Column("settled_by", String(128)),
)
Table(
    "payments",
    TABLES,
    Column("number", Integer, primary_key=True),
    Column("order_id", String(64), nullable=False),
    Column("kind", String(8), nullable=False),
    Column("amount_cents", BigInteger, nullable=False),
    Column("at", MOMENT, nullable=False),
    UniqueConstraint("order_id", "kind"),
)
Table(
    "tasks",
    TABLES,
    Column("number", Integer, primary_key=True),
    Column("task_id", String(80), nullable=False, unique=True),
    Column("instance_id", String(200), nullable=False),
    Column("title", String(200), nullable=False),
    Column("assignee", String(128), nullable=False),
    Column("order_id", String(64)),
    Column("status", String(16), nullable=False),
    Column("created_at", MOMENT, nullable=False),
    Column("updated_at", MOMENT, nullable=False),
    Column("completed_at", MOMENT),
    Index("tasks_by_status", "status", "number"),
)
Table(
    "batches",
    TABLES,
    Column("number", NUMBER, primary_key=True),
    Column("batch_id", String(64), nullable=False, unique=True),
    Column("digest", String(64), nullable=False),
    Column("status", String(32), nullable=False),
    Column("reason", String(64)),
    Column("created_at", MOMENT, nullable=False),
    Column("ended_at", MOMENT),
)
Table(
    "batch_orders",
    TABLES,
    Column("batch_id", String(64), ForeignKey("batches.batch_id"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("order_id", String(64)),
    Column("refused", String(64)),
    Column("is_owner", Boolean, nullable=False),
    Index("batch_orders_by_order", "order_id"),
)
Table(
    "order_counts",
    TABLES,
    Column("status", String(32), primary_key=True),
    Column("orders", BigInteger, nullable=False),
)
Table(
    "item_sales",
    TABLES,
    Column("item", String(128), primary_key=True),
    Column("pieces", BigInteger, nullable=False),
)
Table(
    "order_lines",
    TABLES,
    Column("item", String(128), primary_key=True),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("quantity", Integer, nullable=False),
    sqlite_with_rowid=False,
)
Table(
    "order_lines_left",
    TABLES,
    Column("through", BigInteger, primary_key=True, autoincrement=False),
)
