"""The lock under which migrations run: while one process holds it, no other process writes."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from sqlalchemy import Connection, Engine

from orderflow_hosting.postgresql import WRITERS

_NO_LIMIT: Final = "SELECT set_config('statement_timeout', '0', true)"
"""A migration, and its wait for another one, may take longer than any other statement."""
_LOCK: Final = (
    # The server releases the lock of a process that vanished after this time.
    "SELECT set_config('idle_in_transaction_session_timeout', '60s', true),"
    f" pg_advisory_xact_lock({WRITERS})"
)
_LIMIT_LOCK_WAITS: Final = "SELECT set_config('lock_timeout', '15s', true)"
"""A migration waits only briefly for a locked table, because readers queue behind it."""


class ForeignKeysBroken(Exception):
    """A migration on SQLite would leave rows that refer to nothing."""


@contextmanager
def exclusive(engine: Engine) -> Iterator[Connection]:
    """Open a transaction during which no other process writes; a failure rolls all of it back.

    On PostgreSQL it waits as long as another process migrates, on SQLite for half a minute. If
    the process that holds the lock dies, the database rolls back and the next one gets the lock.
    """
    with engine.connect() as connection:
        if engine.dialect.name == "sqlite":
            yield from _on_sqlite(connection)
        else:
            with connection.begin():
                connection.exec_driver_sql(_NO_LIMIT)
                connection.exec_driver_sql(_LOCK)
                connection.exec_driver_sql(_LIMIT_LOCK_WAITS)
                yield connection


def _on_sqlite(connection: Connection) -> Iterator[Connection]:
    """Check foreign keys only at the end: SQLite alters a table by recreating it."""
    driver = connection.connection.driver_connection
    if not isinstance(driver, sqlite3.Connection):
        raise TypeError(f"{driver} is not an SQLite connection")
    driver.execute("PRAGMA foreign_keys=OFF")
    with connection.execution_options(writes=True).begin():
        yield connection
        if broken := connection.exec_driver_sql("PRAGMA foreign_key_check").all():
            raise ForeignKeysBroken(f"rows refer to nothing: {broken}")
