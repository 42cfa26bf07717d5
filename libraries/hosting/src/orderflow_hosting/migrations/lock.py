"""The lock under which migrations run: while one process holds it, no other process writes."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from sqlalchemy import Connection, Engine

from orderflow_hosting.postgresql import WRITERS

_LOCK: Final = (
    # A process that vanished while it held the lock does not keep it for longer than this.
    "SELECT set_config('idle_in_transaction_session_timeout', '60s', true),"
    f" pg_advisory_xact_lock({WRITERS})"
)
_PATIENCE: Final = "SELECT set_config('lock_timeout', '15s', true)"
"""A table that someone else has locked holds up neither the migration nor the readers for long."""


class ForeignKeysBroken(Exception):
    """A migration on SQLite would leave rows that refer to nothing."""


@contextmanager
def exclusive(engine: Engine) -> Iterator[Connection]:
    """Open a transaction beside which nobody writes; what fails in it leaves no trace.

    On PostgreSQL it waits as long as another process migrates, on SQLite for half a minute. If
    the process that holds the lock dies, the database rolls back and the next one gets the lock.
    """
    with engine.connect() as connection:
        if engine.dialect.name == "sqlite":
            yield from _on_sqlite(connection)
        else:
            with connection.begin():
                connection.exec_driver_sql(_LOCK)
                connection.exec_driver_sql(_PATIENCE)
                yield connection


def _on_sqlite(connection: Connection) -> Iterator[Connection]:
    """Leave foreign keys to the end: SQLite changes a table by making it again."""
    driver = connection.connection.driver_connection
    if not isinstance(driver, sqlite3.Connection):
        raise TypeError(f"{driver} is no connection to SQLite")
    driver.execute("PRAGMA foreign_keys=OFF")
    with connection.execution_options(writes=True).begin():
        yield connection
        if broken := connection.exec_driver_sql("PRAGMA foreign_key_check").all():
            raise ForeignKeysBroken(f"rows refer to nothing: {broken}")
