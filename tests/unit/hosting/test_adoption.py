"""Tables made before there were migrations get the missing columns and keep their rows."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import (
    Column,
    Connection,
    Engine,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    insert,
    inspect,
    select,
)
from sqlalchemy.dialects import postgresql

from orderflow_hosting.database import Utc
from orderflow_hosting.engines import open_engine
from orderflow_hosting.migrations.adoption import ColumnMissing, addition, adopt
from orderflow_hosting.migrations.lock import exclusive

OLDER = MetaData()
OLDER_WORDS = Table(
    "words",
    OLDER,
    Column("number", Integer, primary_key=True),
    Column("word", String(20), unique=True),
)
NEWER = MetaData()
NEWER_WORDS = Table(
    "words",
    NEWER,
    Column("number", Integer, primary_key=True),
    Column("word", String(20), unique=True),
    Column("at", Utc),
    Column("meaning", String(40)),
    Column("order", Integer, nullable=False, server_default="7"),
    Index("words_by_meaning", "meaning"),
)
Table("sentences", NEWER, Column("number", Integer, primary_key=True))


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    """Open a file with the tables of an earlier version."""
    engine = open_engine(f"sqlite:///{tmp_path}/words.db")
    with engine.begin() as connection:
        OLDER.create_all(connection)
        connection.execute(insert(OLDER_WORDS).values(word="old"))
    yield engine
    engine.dispose()


def take_over(engine: Engine, tables: MetaData = NEWER) -> set[str]:
    with exclusive(engine) as connection:
        return adopt(connection, tables)


def rows(connection: Connection) -> list[tuple[str | None, int]]:
    query = select(NEWER_WORDS.c.meaning, NEWER_WORDS.c.order).order_by(NEWER_WORDS.c.number)
    return [(row.meaning, row.order) for row in connection.execute(query)]


def test_missing_columns_are_added(engine: Engine) -> None:
    """Existing rows stay, and both versions can use the table."""
    assert take_over(engine) == {"sentences"}

    with engine.begin() as connection:
        new = insert(NEWER_WORDS).values(word="new", meaning="not old", order=8)
        connection.execute(new)
        connection.execute(insert(OLDER_WORDS).values(word="from the earlier version"))

        assert rows(connection) == [(None, 7), ("not old", 8), (None, 7)]
        assert {each["name"] for each in inspect(connection).get_indexes("words")} == {
            "words_by_meaning"
        }


async def test_processes_that_start_at_once_add_a_column_once(engine: Engine) -> None:
    """The second process finds the column already there."""
    made = await asyncio.gather(*(asyncio.to_thread(take_over, engine) for _ in range(8)))

    assert sorted(map(len, made)) == [0] * 7 + [1]
    columns = {column["name"] for column in inspect(engine).get_columns("words")}
    assert columns == {"number", "word", "at", "meaning", "order"}


def test_a_required_column_without_a_default_is_not_added(engine: Engine) -> None:
    """The migration fails with the column's name instead of guessing a value."""
    tables = MetaData()
    Table(
        "words",
        tables,
        Column("number", Integer, primary_key=True),
        Column("must", Integer, nullable=False),
    )

    with pytest.raises(ColumnMissing, match=r"words\.must"):
        take_over(engine, tables)


def test_a_column_is_added_in_postgresqls_dialect() -> None:
    """Types, defaults and quoted names are written for PostgreSQL."""
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]

    additions = [
        addition(dialect, NEWER_WORDS, NEWER_WORDS.c[name]) for name in ("at", "meaning", "order")
    ]

    assert additions == [
        "ALTER TABLE words ADD COLUMN at TIMESTAMP WITH TIME ZONE",
        "ALTER TABLE words ADD COLUMN meaning VARCHAR(40)",
        "ALTER TABLE words ADD COLUMN \"order\" INTEGER DEFAULT '7' NOT NULL",
    ]
