"""The services' revisions create the schema of the models, and adopt earlier databases."""

import sqlite3
import subprocess
import sys
import warnings
from importlib import import_module
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Column, Connection, Integer, MetaData, Table, inspect

import fakes.catalogue
from fakes.catalogue import assert_rows_kept, catalogue, contents
from fakes.migrated_services import (
    EARLIER,
    SERVICES,
    WITH_EARLIER,
    earlier_database,
    models_of,
    schema_of,
)
from fakes.schemas import FromModels, migrated
from orderflow_contracts.names import LOCAL_PORTS
from orderflow_hosting.engines import open_engine
from orderflow_hosting.migrations.comparing import is_comparable
from orderflow_hosting.migrations.revisions import configuration
from orderflow_hosting.migrations.runner import migrate
from orderflow_hosting.settings import DatabaseSettings

FEWEST_STATEMENTS = 3
"""Even a minimal migration has more: begin, create a table, record the revision, commit."""

service_by_service = pytest.mark.parametrize("service", SERVICES)
version_by_version = pytest.mark.parametrize(
    ("service", "version"), list(product(WITH_EARLIER, EARLIER))
)


def differences(connection: Connection, service: str) -> list[object]:
    """Compare a database with the models as Alembic does."""
    context = MigrationContext.configure(connection, opts={"include_object": is_comparable})
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "autogenerate skipping", UserWarning)
        models: Any = list(
            models_of(service)
        )  # a sequence is accepted, which the annotation does not say
        return list(compare_metadata(context, models))


def from_models(folder: Path, service: str) -> list[str]:
    engine = open_engine(f"sqlite:///{folder}/models.db")
    with engine.connect() as connection:
        FromModels(models_of(service)[0]).check(connection)
        described = catalogue(connection)
    engine.dispose()
    return described


def earlier_file(folder: Path, service: str, version: str) -> str:
    """Make a database file of an earlier version, and return its URL."""
    path = folder / "earlier.db"
    with sqlite3.connect(path) as file:
        file.executescript(earlier_database(service, version, "sqlite"))
    file.close()
    return f"sqlite:///{path}"


def test_every_service_with_tables_has_revisions() -> None:
    """A service that reads a database URL also migrates it."""
    with_tables = {
        service
        for service in LOCAL_PORTS
        for setting in vars(import_module(f"{service}.config")).values()
        if isinstance(setting, type)
        and issubclass(setting, DatabaseSettings)
        and setting is not DatabaseSettings
    }

    assert with_tables == set(SERVICES)
    assert SERVICES


@service_by_service
def test_revisions_follow_each_other_without_gaps(service: str, tmp_path: Path) -> None:
    """Their numbers count up from 0001, because an older version compares them."""
    engine = open_engine(f"sqlite:///{tmp_path}/any.db")
    with engine.connect() as connection:
        config = configuration(connection, schema_of(service).versions)
        revisions = list(ScriptDirectory.from_config(config).walk_revisions())[::-1]
    engine.dispose()

    numbers = [f"{number:04}" for number in range(1, len(revisions) + 1)]
    assert [each.revision for each in revisions] == numbers
    assert [each.down_revision for each in revisions] == [None, *numbers[:-1]]
    assert schema_of(service).needed == numbers[-1]


def test_tables_from_models_include_those_that_were_added_later(tmp_path: Path) -> None:
    """A module that adds tables may be imported after the first database was made."""
    models = MetaData()
    for name in ("first", "second"):
        Table(name, models, Column("number", Integer))
        engine = open_engine(f"sqlite:///{tmp_path}/{name}.db")
        with engine.connect() as connection:
            FromModels(models).check(connection)
            assert set(models.tables) <= set(inspect(connection).get_table_names())
        engine.dispose()


@service_by_service
def test_models_and_revisions_agree(service: str, tmp_path: Path) -> None:
    """A fresh database has the tables, indexes and triggers of the models."""
    engine = open_engine(migrated(f"sqlite:///{tmp_path}/fresh.db", schema_of(service)))

    with engine.connect() as connection:
        assert differences(connection, service) == []
        assert catalogue(connection) == from_models(tmp_path, service)
    engine.dispose()


@version_by_version
def test_databases_of_earlier_versions_are_adopted(
    service: str, version: str, tmp_path: Path
) -> None:
    """The schema becomes that of a fresh database, and all rows stay unchanged."""
    engine = open_engine(earlier_file(tmp_path, service, version))
    with engine.connect() as connection:
        tables = inspect(connection).get_table_names()
        before = contents(connection, tables)

    migrate(engine, schema_of(service))

    with engine.connect() as connection:
        after = contents(connection, tables)
        assert differences(connection, service) == []
        assert catalogue(connection) == from_models(tmp_path, service)
    engine.dispose()
    assert_rows_kept(before, after)


@version_by_version
def test_a_migration_killed_at_any_statement_leaves_the_file_unchanged(
    service: str, version: str, tmp_path: Path
) -> None:
    """It is killed at one statement after the other, until it completes."""
    url = earlier_file(tmp_path, service, version)

    outcome = subprocess.run(
        [sys.executable, "-m", "fakes.dying_migration", url, service],
        cwd=Path(fakes.catalogue.__file__).parents[1],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )

    assert int(outcome.stdout.splitlines()[-1]) > FEWEST_STATEMENTS
    engine = open_engine(url)
    with engine.connect() as connection:
        assert catalogue(connection) == from_models(tmp_path, service)
    engine.dispose()
