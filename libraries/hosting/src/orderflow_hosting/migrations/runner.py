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

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

PAUSE_SECONDS: Final = 1.0

T = TypeVar("T")


def migrate(engine: Engine, schema: Schema) -> None:
    """Apply all revisions that the database lacks, in one transaction under a lock.

    A server that cannot be reached is waited for. Raises `UnsuitableSchema` where a newer version
    has excluded this one, `Unusable` for a file that is no database, and what a revision raises.
    """
    with ExitStack() as lock:
        connection = _patiently(engine, lambda: lock.enter_context(exclusive(engine)))
        before = applied_revision(connection)
        if before is None or before < schema.needed:
            # Alembic takes half the time of the import, and there is seldom something to do.
            from orderflow_hosting.migrations.revisions import upgrade  # noqa: PLC0415 # so

            upgrade(connection, schema.versions)
            log.info("schema_migrated", before=before, after=applied_revision(connection))
        else:
            schema.check(connection)
            log.info("schema_is_current", revision=before, needed=schema.needed)


def wait_until_migrated(engine: Engine, schema: Schema) -> None:
    """Return when the schema can be used. Raises `UnsuitableSchema` where it never will."""
    while not _patiently(engine, lambda: _is_migrated(engine, schema)):
        time.sleep(PAUSE_SECONDS)


def _is_migrated(engine: Engine, schema: Schema) -> bool:
    with engine.connect() as connection:
        revision = applied_revision(connection)
        if revision is None or revision < schema.needed:
            log.info("schema_waits", revision=revision, needed=schema.needed)
            return False
        schema.check(connection)
        return True


def _patiently(engine: Engine, work: Callable[[], T]) -> T:
    """Wait for a server that comes up later than this process; a file is there or it is not."""
    if engine.dialect.name == "sqlite":
        with usable(engine.url):
            return work()
    while True:
        try:
            return work()
        except DBAPIError as error:
            log.warning("database_waits", why=reason(error))
        time.sleep(PAUSE_SECONDS)
