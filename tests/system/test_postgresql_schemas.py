"""PostgreSQL: revisions create the schema of the models, and adopt earlier versions' databases."""

import asyncio
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, inspect, text

from fakes.catalogue import assert_rows_kept, catalogue, contents
from fakes.killed_migration import killed_migration
from fakes.migrated_services import (
    EARLIER,
    SERVICES,
    WITH_EARLIER,
    earlier_database,
    models_of,
    schema_of,
)
from fakes.revisions import Revisions
from fakes.schemas import FromModels, migrated
from orderflow_hosting.database import Database
from orderflow_hosting.engines import open_engine
from orderflow_hosting.migrations.comparing import is_comparable
from orderflow_hosting.migrations.lock import exclusive
from orderflow_hosting.migrations.runner import migrate
from orderflow_hosting.migrations.schema import UnsuitableSchema
from orderflow_lab.postgres_server import PostgresServer
from system.stores import new_database, postgres_programs
from system.test_postgresql import is_waiting_for_a_lock

PATIENCE_SECONDS = 60
service_by_service = pytest.mark.parametrize("service", SERVICES)


@pytest.fixture
def own_server() -> Iterator[PostgresServer]:
    """Run a server that one test may stop."""
    with PostgresServer(postgres_programs()) as server:
        yield server


def differences(connection: Connection, service: str) -> list[object]:
    context = MigrationContext.configure(connection, opts={"include_object": is_comparable})
    models: Any = list(
        models_of(service)
    )  # a sequence is accepted, which the annotation does not say
    return list(compare_metadata(context, models))


def described(url: str) -> list[str]:
    engine = open_engine(url)
    with engine.connect() as connection:
        found = catalogue(connection)
    engine.dispose()
    return found


def from_models(server: PostgresServer, service: str) -> list[str]:
    url = new_database(server)
    engine = open_engine(url)
    with engine.connect() as connection:
        FromModels(models_of(service)[0]).check(connection)
    engine.dispose()
    return described(url)


async def test_a_migration_waits_for_a_database_that_comes_up_later(
    own_server: PostgresServer,
) -> None:
    """In a cluster, everything starts at the same time."""
    url, schema = new_database(own_server), schema_of("approvals")
    own_server.stop()
    migration = asyncio.create_task(asyncio.to_thread(migrated, url, schema))
    done, _ = await asyncio.wait({migration}, timeout=2)
    assert not done

    own_server.start()

    async with asyncio.timeout(PATIENCE_SECONDS):
        await migration
    engine = open_engine(url)
    with engine.connect() as connection:
        schema.check(connection)
    engine.dispose()


@service_by_service
def test_models_and_revisions_agree(service: str, postgres: PostgresServer) -> None:
    """A fresh database has the tables, indexes, triggers and functions of the models."""
    url = migrated(new_database(postgres), schema_of(service))
    engine = open_engine(url)

    with engine.connect() as connection:
        assert differences(connection, service) == []
    engine.dispose()
    assert described(url) == from_models(postgres, service)


@pytest.mark.parametrize(("service", "version"), list(product(WITH_EARLIER, EARLIER)))
def test_databases_of_earlier_versions_are_adopted(
    service: str, version: str, postgres: PostgresServer
) -> None:
    """The schema becomes that of a fresh database, and all rows stay unchanged."""
    url = new_database(postgres)
    with psycopg.connect(url) as server:
        server.execute(earlier_database(service, version, "postgresql").encode())
    engine = open_engine(url)
    with engine.connect() as connection:
        tables = inspect(connection).get_table_names()
        before = contents(connection, tables)

    migrate(engine, schema_of(service))

    with engine.connect() as connection:
        after = contents(connection, tables)
        assert differences(connection, service) == []
    engine.dispose()
    assert described(url) == from_models(postgres, service)
    assert_rows_kept(before, after)


async def test_a_service_ends_if_the_schema_is_too_old(postgres: PostgresServer) -> None:
    """Even if the database answers only after the start, the process ends with this message."""
    schema = schema_of("orders")
    database = Database(new_database(postgres), schema)

    with pytest.raises(UnsuitableSchema, match="run `python -m orders migrate` first"):
        async with asyncio.timeout(PATIENCE_SECONDS):
            await database.refusal()
    database.close()


async def test_writers_and_migrations_exclude_each_other(
    postgres: PostgresServer,
) -> None:
    """Migrations take the writers' lock, so that they never run at the same time."""
    schema = schema_of("orders")
    url = migrated(new_database(postgres), schema)
    engine, database = open_engine(url), Database(url, schema)
    await database.ready()
    order: list[str] = []

    with exclusive(engine) as connection:
        writing = asyncio.create_task(database.write(lambda _: order.append("written")))
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not await is_waiting_for_a_lock(database):
                await asyncio.sleep(0.01)
        connection.execute(text("SELECT 1"))
        order.append("migrated")
    await writing

    assert order == ["migrated", "written"]
    database.close()
    engine.dispose()


async def test_a_killed_migration_is_rolled_back_and_the_next_one_runs(
    postgres: PostgresServer, tmp_path: Path
) -> None:
    """The server rolls the killed process back and releases its lock."""
    revisions, url = Revisions(tmp_path), new_database(postgres)
    engine = open_engine(url)
    migrate(engine, revisions.newest)

    async with killed_migration(url, engine, revisions, tmp_path / "in-the-middle") as waiting:
        pass

    async with asyncio.timeout(PATIENCE_SECONDS):
        await waiting

    columns = {column["name"] for column in inspect(engine).get_columns("words")}
    assert columns == {"number", "word", "meaning"}
    engine.dispose()
