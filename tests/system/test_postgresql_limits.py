"""PostgreSQL: a statement that hangs, or a server that does, keeps nobody waiting for ever."""

import asyncio
import os
import signal

import pytest
from sqlalchemy import text

from fakes.schemas import migrated
from orderflow_hosting import database as database_module
from orderflow_hosting import postgresql
from orderflow_hosting.database import Database, DatabaseTooSlow, DatabaseUnavailable
from orderflow_hosting.engines import open_engine
from orderflow_hosting.migrations.lock import exclusive
from orderflow_lab.postgres_server import PostgresServer
from orders.tables import SCHEMA
from system.stores import new_database

LIMIT = text("SHOW statement_timeout")
PATIENCE_SECONDS = 30


@pytest.fixture
def url(postgres: PostgresServer) -> str:
    """Create a migrated database for one test."""
    return migrated(new_database(postgres), SCHEMA)


@pytest.mark.parametrize("method", ["read", "write"])
async def test_a_statement_that_takes_too_long_is_ended(
    method: str, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server ends it, and the next one works."""
    short = postgresql.LIMIT_STATEMENTS.replace("30s", "200ms")
    monkeypatch.setattr(postgresql, "LIMIT_STATEMENTS", short)
    with Database(url, SCHEMA) as database:
        await database.ready()
        run = getattr(database, method)
        with pytest.raises(DatabaseUnavailable, match="statement timeout"):
            await run(lambda connection: connection.execute(text("SELECT pg_sleep(60)")))

        assert await run(lambda connection: connection.scalar(LIMIT)) == "200ms"


@pytest.mark.parametrize("method", ["read", "write"])
async def test_a_server_that_hangs_is_reported(
    method: str, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It keeps its connections and answers nothing; afterwards they are used again."""
    monkeypatch.setattr(database_module, "DEADLINE_SECONDS", 0.5)
    monkeypatch.setattr(database_module, "READERS", 1)
    backend = text("SELECT pg_backend_pid()")
    with Database(url, SCHEMA) as database:
        await database.ready()
        run = getattr(database, method)
        pid = await run(lambda connection: connection.scalar(backend))
        os.kill(pid, signal.SIGSTOP)
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                with pytest.raises(DatabaseTooSlow):
                    await run(lambda connection: connection.scalar(backend))
        finally:
            os.kill(pid, signal.SIGCONT)

        monkeypatch.setattr(database_module, "DEADLINE_SECONDS", PATIENCE_SECONDS)
        assert await run(lambda connection: connection.scalar(backend)) == pid


def test_a_migration_has_no_limit(url: str) -> None:
    """It may rewrite a large table, or wait for another process that does."""
    engine = open_engine(url)
    try:
        with exclusive(engine) as connection:
            assert connection.scalar(LIMIT) == "0"
        with engine.connect() as connection:
            assert connection.scalar(LIMIT) == "30s"
    finally:
        engine.dispose()
