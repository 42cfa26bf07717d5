"""Opens a service's database by its URL: an SQLite file or a PostgreSQL server."""

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import DBAPIError

from orderflow_hosting.postgresql import postgresql_engine
from orderflow_hosting.setting_types import Unusable


def open_engine(url: str) -> Engine:
    """Create the engine; transactions with the option `writes` run one at a time.

    Raises `Unusable` if the folder of an SQLite file cannot be created.
    """
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite":
        return postgresql_engine(parsed)
    if parsed.database:
        with usable(parsed):
            Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(parsed, connect_args={"timeout": 30})

    @event.listens_for(engine, "connect")
    def _prepare(connection: sqlite3.Connection, _: object) -> None:
        connection.isolation_level = None  # the driver must not begin transactions by itself
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA foreign_keys=ON")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get("writes", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


@contextlib.contextmanager
def usable(url: URL) -> Iterator[None]:
    """Raise `Unusable` if the file of an SQLite database cannot be created or read."""
    try:
        yield
    except (OSError, DBAPIError) as error:
        why = error.strerror if isinstance(error, OSError) else reason(error)
        raise Unusable("database_url", f"{url.database} cannot be used: {why}") from error


def reason(error: Exception) -> str:
    """Return in one line what the database reports, which never contains the password."""
    message = str(error.orig) if isinstance(error, DBAPIError) else str(error)
    return " ".join(message.split()) or type(error).__name__
