"""Schemas for tests: created from models, which is quick, or migrated."""

import sqlite3
from functools import cache
from typing import Final

from sqlalchemy import Connection, MetaData, StaticPool, create_engine, inspect

from orderflow_hosting.engines import open_engine
from orderflow_hosting.migrations.runner import migrate
from orderflow_hosting.migrations.schema import HOUSEKEEPING, Schema

WITHOUT_PARKED_EVENTS: Final = (
    "DROP TABLE outbox",
    "DROP TABLE outbox_lease",
    "DROP TABLE parked_events",
    *(
        f"ALTER TABLE dead_letters DROP COLUMN {column}"
        for column in (
            *("event", "source", "attempts"),
            *("resent_as", "discarded_at", "discard_reason", "resent_event"),
        )
    ),
)
"""Statements that make tables as they were before events were parked."""


class FromModels:
    """Makes the tables of models, which is quicker than to migrate.

    `test_schemas.py` proves that both are the same for each service.
    """

    def __init__(self, tables: MetaData) -> None:
        self._tables = tables

    def check(self, connection: Connection) -> None:
        """Create missing tables."""
        if connection.dialect.name == "sqlite" and not inspect(connection).get_table_names():
            connection.rollback()  # a copy needs a connection without a transaction
            file = connection.connection.driver_connection
            assert isinstance(file, sqlite3.Connection)
            _made_once(self._tables, frozenset(self._tables.tables)).backup(file)
        else:
            _make(self._tables, connection)


def migrated(url: str, schema: Schema) -> str:
    """Migrate a database as the service's command does, and return its URL."""
    engine = open_engine(url)
    try:
        migrate(engine, schema)
    finally:
        engine.dispose()
    return url


def _make(tables: MetaData, connection: Connection) -> None:
    for each in (tables, HOUSEKEEPING):
        each.create_all(connection)
    connection.commit()


@cache
def _made_once(tables: MetaData, _names: frozenset[str]) -> sqlite3.Connection:
    """Create the tables in memory once per process: copying them is five times as fast.

    They are created again if modules have added tables since.
    """
    made = sqlite3.connect(":memory:", check_same_thread=False)
    engine = create_engine("sqlite://", creator=lambda: made, poolclass=StaticPool)
    with engine.connect() as connection:
        _make(tables, connection)
    return made
