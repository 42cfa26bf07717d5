"""The table of messages that a service owes, and the changes of it within a transaction."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import (
    Column,
    Connection,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    bindparam,
    delete,
    func,
    insert,
    select,
)
from sqlalchemy.types import BigInteger

from orderflow_hosting.database import Utc
from orderflow_hosting.outbox.messages import LONGEST_KEY, Message

MOST_COUNTED: Final = 10_000

_TABLES: Final = MetaData()
OUTBOX: Final = Table(
    "outbox",
    _TABLES,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("key", String(LONGEST_KEY), nullable=False),
    Column("topic", String(200), nullable=False),
    Column("event", LargeBinary, nullable=False),
    Column("created_at", Utc, nullable=False),
    sqlite_autoincrement=True,  # the id of a removed message is never given again
)
LEASE: Final = Table(
    "outbox_lease",
    _TABLES,
    Column("number", Integer, primary_key=True),
    Column("owner", String(36), nullable=False),
    Column("expires_at", Utc, nullable=False),
)
"""A row for each work that one process does at a time: 1 is publishing, 2 reconciling."""

_INSERT: Final = insert(OUTBOX).values(created_at=func.current_timestamp())
_SELECT: Final = (
    select(OUTBOX.c.id, OUTBOX.c.key, OUTBOX.c.topic, OUTBOX.c.event)
    .where(OUTBOX.c.id > bindparam("after"))
    .order_by(OUTBOX.c.id)
    .limit(bindparam("most"))
)
_SELECT_BACKLOG: Final = select(
    select(func.count())
    .select_from(select(OUTBOX.c.id).limit(MOST_COUNTED).subquery())
    .scalar_subquery(),
    select(OUTBOX.c.created_at).order_by(OUTBOX.c.id).limit(1).scalar_subquery(),
)


@dataclass(frozen=True)
class Waiting(Message):
    """A message that waits in the outbox, with its position there."""

    id: int


def outbox_tables(tables: MetaData) -> Table:
    """Add the tables of the outbox to a service's own."""
    LEASE.to_metadata(tables)
    return OUTBOX.to_metadata(tables)


def add_within(connection: Connection, *messages: Message) -> None:
    """Write messages to the outbox, as a part of the transaction that owes them."""
    for each in messages:
        row = {"key": each.key, "topic": each.topic, "event": each.event}
        connection.execute(_INSERT, row)


def waiting_within(connection: Connection, after: int, most: int) -> Sequence[Waiting]:
    """Return the oldest messages after a position."""
    rows = connection.execute(_SELECT, {"after": after, "most": most})
    return [Waiting(row.key, row.topic, row.event, row.id) for row in rows]


def remove_within(connection: Connection, ids: Collection[int]) -> None:
    """Remove messages that the broker has."""
    if ids:
        connection.execute(delete(OUTBOX).where(OUTBOX.c.id.in_(ids)))


def backlog_within(connection: Connection) -> tuple[int, datetime | None]:
    """Count the messages, up to `MOST_COUNTED`, and return the time of the oldest."""
    count, oldest_at = connection.execute(_SELECT_BACKLOG).one()
    return count, oldest_at
