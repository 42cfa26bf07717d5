"""The tables of orders that more than one package uses."""

from pathlib import Path
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
    Text,
    UniqueConstraint,
    collate,
)

from orderflow_hosting.access import access_tables
from orderflow_hosting.database import Utc
from orderflow_hosting.dead_letters import dead_letter_table, parked_event_table
from orderflow_hosting.migrations.schema import Schema
from orderflow_hosting.outbox import outbox_tables
from orderflow_hosting.spellings import index_any_case

SCHEMA: Final = Schema("orders", Path(__file__).parent / "migrations" / "versions")


TABLES = MetaData()


DEAD_LETTERS = dead_letter_table(TABLES, "order_id")
PARKED_EVENTS = parked_event_table(TABLES)
outbox_tables(TABLES)


ACCESS = access_tables(TABLES)


CUSTOMER: Final = "customer"


ITEM: Final = "item"


RowNumber = BigInteger().with_variant(
    Integer, "sqlite"
)  # SQLite autoincrements only plain integers


NOT_RECORDED: Final = ""
"""The event key of an order that was stored by an earlier version, which recorded none."""


ORDERS = Table(
    "orders",
    TABLES,
    Column("number", RowNumber, primary_key=True),
    Column("order_id", String(64), nullable=False, unique=True),
    Column("customer_id", String(128), nullable=False),
    Column("lines", JSON, nullable=False),
    Column("details", JSON(none_as_null=True)),
    Column("status", String(32), nullable=False),
    Column("reason", String(64)),
    Column("total_cents", BigInteger),
    Column("sequence", Integer, nullable=False),
    Column("run_id", String(32)),
    Column("cancel_requested_at", Utc),
    Column("charge_sent_at", Utc),
    Column("compensation", String(16)),
    Column("detail", Text),
    Column("event_key", String(32), server_default=NOT_RECORDED),
    Column("created_at", Utc, nullable=False),
    Column("updated_at", Utc, nullable=False),
    Index("orders_by_status", "status", "number"),
    Index("orders_by_customer", "customer_id", "number"),
    Index("orders_by_time", "created_at"),
)
"""`run_id` is the only run that may act for the order: recorded when the order is accepted or, by
earlier versions, with its second status. `charge_sent_at` is null until a charge is sent, and again
once it is known that nothing was charged. `compensation` is null unless an order that is cancelled
still has to be compensated: see `ordering.records.Compensation`. `event_key` identifies the event
that named an order, if one did: see `ordering.naming`.
"""


IS_TO_BE_COMPENSATED: Final = ORDERS.c.compensation.is_not(None)
Index(
    "orders_to_compensate",
    ORDERS.c.order_id,
    sqlite_where=IS_TO_BE_COMPENSATED,
    postgresql_where=IS_TO_BE_COMPENSATED,
)


Index("orders_by_plain_id", collate(ORDERS.c.order_id, "C")).ddl_if(dialect="postgresql")
index_any_case("orders_by_any_case_id", ORDERS.c.order_id)

STATUSES = Table(
    "order_statuses",
    TABLES,
    Column("position", RowNumber, primary_key=True),
    Column("order_id", String(64), ForeignKey(ORDERS.c.order_id), nullable=False),
    Column("sequence", Integer, nullable=False),
    Column("status", String(32), nullable=False),
    Column("reason", String(64)),
    Column("total_cents", BigInteger),
    Column("detail", Text),
    Column("at", Utc, nullable=False),
    Column("in_outbox", Boolean),
    UniqueConstraint("order_id", "sequence"),
)
"""`in_outbox`: the event was written to the outbox. Null in rows of earlier versions, whose
activities published it themselves, if they came to it."""


STARTED_INSTANCES = Table(
    "started_instances",
    TABLES,
    Column("instance_id", String(100), primary_key=True),
    Column("started_at", Utc, nullable=False),
)
"""The workflow instances that the management API started, or was about to start."""


BATCHES = Table(
    "batches",
    TABLES,
    Column("number", RowNumber, primary_key=True),
    Column("batch_id", String(64), nullable=False, unique=True),
    Column("digest", String(64), nullable=False),
    Column("status", String(32), nullable=False),
    Column("reason", String(64)),
    Column("created_at", Utc, nullable=False),
    Column("ended_at", Utc),
)


BATCH_ORDERS = Table(
    "batch_orders",
    TABLES,
    Column("batch_id", String(64), ForeignKey(BATCHES.c.batch_id), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("order_id", String(64)),
    Column("refused", String(64)),
    Column("detail", Text),
    Column("is_owner", Boolean, nullable=False),
    Index("batch_orders_by_order", "order_id"),
)
"""The entries of each batch. It runs the orders that it owns; the others existed before.

`detail` explains why an entry was refused; entries that earlier versions refused have none.
"""
