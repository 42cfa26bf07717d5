"""Finds names in any spelling, by the folded text that all spellings have in common.

A table stores each spelling once, with its folded text. So the searched tables need no change, and
even an audit trail, which must not be changed, can be searched.
"""

import asyncio
from collections.abc import Sequence
from itertools import chain, repeat
from typing import Any, Final

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Index,
    MetaData,
    String,
    Table,
    collate,
    func,
    or_,
    select,
    text,
)

from orderflow_hosting.background import Sleep, retry_until_success
from orderflow_hosting.database import Database
from orderflow_hosting.folding import fold

LONGEST_FOLDED: Final = 200
"""Characters of a folded name that are stored: more might not fit into an index."""
MAX_SPELLINGS: Final = 50
AT_ONCE: Final = 500
PAUSES_SECONDS: Final = (60.0, 120.0, 240.0, 480.0, 960.0, 1920.0)
LONGEST_PAUSE_SECONDS: Final = 3600.0
"""During a rollout, replicas of the earlier version still write names without spellings. Later
passes find nothing, and cost a few seconds for a million names."""

Source = tuple[str, Column[Any]]
"""A kind of name, and an indexed column that holds such names."""

_RECORD: Final = text(
    "INSERT INTO spellings (kind, name, folded) VALUES (:kind, :name, :folded)"
    " ON CONFLICT DO NOTHING"
)
_UNKNOWN: Final = """
WITH RECURSIVE known(name) AS (
    SELECT min({column}) FROM {table} WHERE {column} > :after
    UNION ALL
    SELECT (SELECT min({column}) FROM {table} WHERE {column} > known.name)
    FROM known WHERE known.name IS NOT NULL
)
SELECT name FROM known WHERE name IS NOT NULL AND NOT EXISTS (
    SELECT 1 FROM spellings WHERE spellings.kind = :kind AND spellings.name = known.name
) LIMIT :most
"""
"""Steps from one name to the next by the column's index, and skips all rows between them."""


def spelling_table(tables: MetaData) -> Table:
    """Add the table of spellings to a service's own."""
    table = Table(
        "spellings",
        tables,
        Column("kind", String(16), primary_key=True),
        Column("name", String(200), primary_key=True),
        Column("folded", String(LONGEST_FOLDED), nullable=False),
    )
    Index("spellings_by_folded", table.c.kind, table.c.folded)
    return table


def record_spellings(connection: Connection, kind: str, *names: str) -> None:
    """Store the spellings of names, in the transaction that stores the names."""
    rows = [{"kind": kind, "name": name, "folded": _start(name)} for name in dict.fromkeys(names)]
    if rows:
        connection.execute(_RECORD, rows)


def spellings(connection: Connection, table: Table, kind: str, typed: str) -> list[str]:
    """Return the text as typed, and all stored spellings of it."""
    columns, folded = table.c, fold(typed)
    query = select(columns.name).where(columns.kind == kind, columns.folded == _start(typed))
    found = connection.scalars(query.limit(MAX_SPELLINGS)).all()
    return [typed, *(name for name in found if name != typed and fold(name) == folded)]


def is_any(column: ColumnElement[str], names: Sequence[str]) -> ColumnElement[bool]:
    """Compare a column with all spellings of a name."""
    return or_(*(column == name for name in names))


def index_any_case(name: str, ids: Column[str]) -> None:
    """Index a column of ids, which are ASCII, without regard to case."""
    Index(name, collate(ids, "NOCASE"), ids).ddl_if(dialect="sqlite")
    Index(name, collate(func.lower(ids), "C"), ids).ddl_if(dialect="postgresql")


def any_case(connection: Connection, ids: ColumnElement[str]) -> ColumnElement[str]:
    """Return the expression of that index, to compare ids with folded text."""
    if connection.dialect.name == "sqlite":
        return collate(ids, "NOCASE")
    return collate(func.lower(ids), "C")


async def backfill_repeatedly(
    database: Database, sources: Sequence[Source], sleep: Sleep = asyncio.sleep
) -> None:
    """Store the spellings that earlier versions did not store, repeatedly until cancelled.

    Several replicas may do so at once: a stored spelling is never changed.
    """

    async def backfill_all() -> None:
        for source in sources:
            await backfill_spellings(database, source)

    await database.ready()
    for pause in chain(PAUSES_SECONDS, repeat(LONGEST_PAUSE_SECONDS)):
        await retry_until_success(backfill_all, "spellings_not_recorded", sleep=sleep)
        await sleep(pause)


async def backfill_spellings(database: Database, source: Source) -> None:
    """Store all missing spellings of a column, some at a time."""
    kind, column = source
    query = text(_UNKNOWN.format(column=column.name, table=column.table.name))
    after = ""
    while names := await database.read(
        lambda connection, after=after: connection.scalars(  # type: ignore[misc]
            query, {"kind": kind, "after": after, "most": AT_ONCE}
        ).all()
    ):
        await database.write(
            lambda connection, names=names: record_spellings(connection, kind, *names)  # type: ignore[misc]
        )
        after = names[-1]


def _start(name: str) -> str:
    return fold(name)[:LONGEST_FOLDED]
