"""Finds names in any spelling, by the folded text that all spellings have in common.

A table has each spelling once, with its folded text. So the searched tables stay as they are, and
an audit trail, which cannot be changed, is searched like everything else.
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
"""Characters of a folded name that are stored: it may be longer than an index can take."""
MOST_SPELLINGS: Final = 50
AT_ONCE: Final = 500
PAUSES_SECONDS: Final = (60.0, 120.0, 240.0, 480.0, 960.0, 1920.0)
LONGEST_PAUSE_SECONDS: Final = 3600.0
"""While a new version is rolled out, replicas of the earlier one go on writing. Later there is
nothing to find, and each pass visits every name: some seconds for a million."""

Source = tuple[str, Column[Any]]
"""A kind of name, and an indexed column that holds such names."""

_NOTE: Final = text(
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


def note(connection: Connection, kind: str, *names: str) -> None:
    """Store the spellings of names, in the transaction that stores the names."""
    rows = [{"kind": kind, "name": name, "folded": _start(name)} for name in dict.fromkeys(names)]
    if rows:
        connection.execute(_NOTE, rows)


def spellings(connection: Connection, table: Table, kind: str, typed: str) -> list[str]:
    """Return the text as typed, and all stored spellings of it."""
    columns, folded = table.c, fold(typed)
    query = select(columns.name).where(columns.kind == kind, columns.folded == _start(typed))
    found = connection.scalars(query.limit(MOST_SPELLINGS)).all()
    return [typed, *(name for name in found if name != typed and fold(name) == folded)]


def is_any(column: ColumnElement[str], names: Sequence[str]) -> ColumnElement[bool]:
    """Compare a column with all spellings of a name."""
    return or_(*(column == name for name in names))


def index_any_case(name: str, ids: Column[str]) -> None:
    """Index a column of ids, which are ASCII, sorted without regard to capitals."""
    Index(name, collate(ids, "NOCASE"), ids).ddl_if(dialect="sqlite")
    Index(name, collate(func.lower(ids), "C"), ids).ddl_if(dialect="postgresql")


def any_case(connection: Connection, ids: ColumnElement[str]) -> ColumnElement[str]:
    """Compare ids with folded text, by that index."""
    if connection.dialect.name == "sqlite":
        return collate(ids, "NOCASE")
    return collate(func.lower(ids), "C")


async def keep_noted(
    database: Database, sources: Sequence[Source], sleep: Sleep = asyncio.sleep
) -> None:
    """Store the spellings that earlier versions did not store, again and again until cancelled.

    Several replicas may do so at once: a stored spelling stays as it is.
    """

    async def note_all() -> None:
        for source in sources:
            await note_missing(database, source)

    await database.ready()
    for pause in chain(PAUSES_SECONDS, repeat(LONGEST_PAUSE_SECONDS)):
        await retry_until_success(note_all, "spellings_not_noted", sleep=sleep)
        await sleep(pause)


async def note_missing(database: Database, source: Source) -> None:
    """Store all missing spellings of a column, some at a time."""
    kind, column = source
    query = text(_UNKNOWN.format(column=column.name, table=column.table.name))
    after = ""
    while names := await database.read(
        lambda connection, after=after: connection.scalars(  # type: ignore[misc]
            query, {"kind": kind, "after": after, "most": AT_ONCE}
        ).all()
    ):
        await database.write(lambda connection, names=names: note(connection, kind, *names))  # type: ignore[misc]
        after = names[-1]


def _start(name: str) -> str:
    return fold(name)[:LONGEST_FOLDED]
