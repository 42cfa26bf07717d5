"""Brings a database's schema to the newest revision, or waits until another process has."""

import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import Final, TypeVar

import structlog
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from orderflow_hosting.engines import reason, usable
from orderflow_hosting.migrations.lock import exclusive
from orderflow_hosting.migrations.schema import Schema, applied_revision
from orderflow_hosting.start_up import START_SECONDS, Patience

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

PAUSE_SECONDS: Final = 1.0

T = TypeVar("T")


def migrate(engine: Engine, schema: Schema, seconds: float = START_SECONDS) -> None:
    """Apply all revisions that the database lacks, in one transaction under a lock.

    Waits for a server that cannot be reached yet. Raises `NotStarted` if it cannot within this
    time, `UnsuitableSchema` if a newer version has excluded this one, `Unusable` for a file that is
    not a database, and what a revision raises.
    """
    patience = Patience(seconds)
    with ExitStack() as lock:
        connection = _patiently(engine, lambda: lock.enter_context(exclusive(engine)), patience)
        before = applied_revision(connection)
        if before is None or before < schema.needed:
            # Importing Alembic is slow, and usually there is nothing to migrate.
            from orderflow_hosting.migrations.revisions import upgrade  # noqa: PLC0415

            upgrade(connection, schema.versions)
            log.info("schema_migrated", before=before, after=applied_revision(connection))
        else:
            schema.check(connection)
            log.info("schema_is_current", revision=before, needed=schema.needed)


def wait_until_migrated(engine: Engine, schema: Schema, seconds: float = START_SECONDS) -> None:
    """Return when the schema can be used.

    Raises `NotStarted` if it cannot within this time, `UnsuitableSchema` if it never can.
    """
    patience = Patience(seconds)
    while (why := _patiently(engine, lambda: _unmigrated(engine, schema), patience)) is not None:
        patience.missing("the schema", why)
        time.sleep(PAUSE_SECONDS)


def _unmigrated(engine: Engine, schema: Schema) -> str | None:
    """Return what is missing, or None for a schema that can be used."""
    with engine.connect() as connection:
        revision = applied_revision(connection)
        if revision is None or revision < schema.needed:
            log.info("schema_waits", revision=revision, needed=schema.needed)
            return f"it has revision {revision or 'none'}, and {schema.needed} is needed"
        schema.check(connection)
        return None


def _patiently(engine: Engine, work: Callable[[], T], patience: Patience) -> T:
    """Run the work once a server can be reached; an SQLite file is never waited for."""
    if engine.dialect.name == "sqlite":
        with usable(engine.url):
            return work()
    while True:
        try:
            return work()
        except DBAPIError as error:
            log.warning("database_waits", why=reason(error))
            patience.missing("the database", reason(error))
        time.sleep(PAUSE_SECONDS)
