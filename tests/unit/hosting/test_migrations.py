"""Migrations under a lock, and the schema check when a service starts."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, inspect, text

from fakes.killed_migration import ADD_MEANING, killed_migration
from fakes.revisions import Revisions
from orderflow_hosting.database import Database, Utc
from orderflow_hosting.engines import open_engine
from orderflow_hosting.migrations.lock import ForeignKeysBroken, exclusive
from orderflow_hosting.migrations.new import write_revision
from orderflow_hosting.migrations.runner import migrate, wait_until_migrated
from orderflow_hosting.migrations.schema import (
    HOUSEKEEPING,
    Schema,
    UnsuitableSchema,
    applied_revision,
)
from orderflow_hosting.setting_types import Unusable

PATIENCE_SECONDS = 60
EXCLUDE_OLDER = """
with op.batch_alter_table("words") as words:
    words.drop_column("word")
exclude_versions_before(op.get_bind(), "0002")
"""


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/shop.db"


@pytest.fixture
def engine(url: str) -> Iterator[Engine]:
    engine = open_engine(url)
    yield engine
    engine.dispose()


@pytest.fixture
def revisions(tmp_path: Path) -> Revisions:
    return Revisions(tmp_path)


def columns(engine: Engine) -> set[str]:
    return {column["name"] for column in inspect(engine).get_columns("words")}


def check(engine: Engine, schema: Schema) -> None:
    with engine.connect() as connection:
        schema.check(connection)


def revision(engine: Engine) -> str | None:
    with engine.connect() as connection:
        return applied_revision(connection)


def test_a_service_does_not_start_without_a_migrated_schema(url: str, revisions: Revisions) -> None:
    """The message names the command to run."""
    with pytest.raises(UnsuitableSchema) as refusal:
        Database(url, revisions.newest)

    assert str(refusal.value) == (
        "the schema of the database is not migrated yet, and this version needs revision 0001:"
        " run `python -m shop migrate` first"
    )


def test_a_service_does_not_start_on_an_older_schema(
    url: str, engine: Engine, revisions: Revisions
) -> None:
    """After the migration it starts."""
    migrate(engine, revisions.newest)
    newer = revisions.add(ADD_MEANING)

    with pytest.raises(UnsuitableSchema, match=r"at revision 0001.*needs revision 0002.*migrate"):
        Database(url, newer)

    migrate(engine, newer)
    Database(url, newer).close()
    assert columns(engine) == {"number", "word", "meaning"}


def test_an_expanded_schema_is_accepted_by_older_versions(
    url: str, engine: Engine, revisions: Revisions
) -> None:
    """The older version starts, and its own migration leaves the newer schema alone."""
    older, newer = revisions.newest, revisions.add(ADD_MEANING)
    migrate(engine, newer)

    Database(url, older).close()
    migrate(engine, older)
    wait_until_migrated(engine, older)

    assert revision(engine) == "0002"


def test_a_contracted_schema_excludes_earlier_versions(
    url: str, engine: Engine, revisions: Revisions
) -> None:
    """Neither they nor their migrations start; later versions do."""
    older, contracted = revisions.newest, revisions.add(EXCLUDE_OLDER)
    newest = revisions.add(ADD_MEANING)
    migrate(engine, newest)

    for start in (
        lambda: Database(url, older),
        lambda: migrate(engine, older),
        lambda: wait_until_migrated(engine, older),
    ):
        with pytest.raises(UnsuitableSchema) as refusal:
            start()
        assert str(refusal.value) == (
            "the schema of the database is at revision 0003, which works only with versions made"
            " for revision 0002 or later, and this version was made for 0001: run a newer version"
            " of shop"
        )

    check(engine, contracted)
    check(engine, newest)


def test_a_failed_migration_changes_nothing(engine: Engine, revisions: Revisions) -> None:
    """Either all missing revisions are applied, or none."""
    migrate(engine, revisions.newest)
    revisions.add(ADD_MEANING)
    broken = revisions.add(f'{ADD_MEANING.replace("meaning", "other")}\nraise ValueError("no")')

    with pytest.raises(ValueError, match="no"):
        migrate(engine, broken)

    assert columns(engine) == {"number", "word"}
    assert revision(engine) == "0001"


def test_broken_foreign_keys_are_refused(engine: Engine, revisions: Revisions) -> None:
    """On SQLite they are checked at the end, so that tables can be recreated."""
    migrate(engine, revisions.newest)
    broken = revisions.add(
        """
op.create_table(
    "uses", sa.Column("word", sa.Integer, sa.ForeignKey("words.number"), primary_key=True)
)
op.execute("INSERT INTO uses VALUES (7)")
"""
    )

    with pytest.raises(ForeignKeysBroken, match="uses"):
        migrate(engine, broken)

    assert "uses" not in inspect(engine).get_table_names()


def test_a_referenced_table_can_be_recreated(engine: Engine, revisions: Revisions) -> None:
    """The rows that refer to it stay."""
    migrate(engine, revisions.newest)
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO words VALUES (7, 'seven')"))
    newer = revisions.add(
        """
op.create_table(
    "uses", sa.Column("word", sa.Integer, sa.ForeignKey("words.number"), primary_key=True)
)
op.execute("INSERT INTO uses VALUES (7)")
with op.batch_alter_table("words") as words:
    words.drop_column("word")
"""
    )

    migrate(engine, newer)

    with engine.connect() as connection:
        assert connection.execute(text("SELECT * FROM words, uses")).all() == [(7, 7)]


async def test_only_one_of_many_processes_migrates(
    url: str, revisions: Revisions, tmp_path: Path
) -> None:
    """The others wait, then find nothing left to do."""
    started = [tmp_path / f"started-{number}" for number in range(4)]
    all_started = f"all(Path(path).exists() for path in {[str(path) for path in started]})"
    revisions.add(f"while not {all_started}:\n    time.sleep(0.01)\n{ADD_MEANING}")

    def work(mark: Path) -> None:
        engine = open_engine(url)
        mark.touch()
        migrate(engine, revisions.newest)
        check(engine, revisions.newest)
        engine.dispose()

    await asyncio.gather(*(asyncio.to_thread(work, mark) for mark in started))


async def test_a_killed_migration_releases_its_lock(
    url: str, engine: Engine, revisions: Revisions, tmp_path: Path
) -> None:
    """Its changes are rolled back, and the next process migrates."""
    migrate(engine, revisions.newest)

    mark = tmp_path / "in-the-middle"
    async with killed_migration(url, engine, revisions, mark) as waiting:
        assert columns(engine) == {"number", "word"}

    await waiting

    assert columns(engine) == {"number", "word", "meaning"}


async def test_waiting_ends_when_another_process_has_migrated(
    url: str, engine: Engine, revisions: Revisions
) -> None:
    """A waiting process changes nothing."""
    waiting = asyncio.create_task(asyncio.to_thread(wait_until_migrated, engine, revisions.newest))
    await asyncio.sleep(0)
    assert not inspect(engine).get_table_names()

    other = open_engine(url)
    migrate(other, revisions.newest)
    other.dispose()

    await waiting


def test_a_file_that_is_not_a_database_is_named(tmp_path: Path, revisions: Revisions) -> None:
    """It is refused at once: waiting would not help."""
    path = tmp_path / "file"
    path.write_text("not a database " * 1000)
    engine = open_engine(f"sqlite:///{path}")

    with pytest.raises(Unusable, match=f"{path} cannot be used: "):
        migrate(engine, revisions.newest)
    engine.dispose()


def test_a_drafted_revision_creates_what_the_models_say(
    engine: Engine, revisions: Revisions
) -> None:
    """The draft follows the newest revision and can be applied."""
    import sqlalchemy as sa  # noqa: PLC0415 # as the draft calls it

    from orderflow_hosting.migrations.first_tables import add_hosting_tables  # noqa: PLC0415

    models = sa.MetaData()
    add_hosting_tables(models, "order_id")
    sa.Table(
        "words",
        models,
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("word", sa.Text),
        sa.Column("meaning", sa.Text),
        sa.Column("at", Utc),
    )

    file = write_revision(revisions.newest, [models], "add what words mean")
    migrate(engine, revisions.newest)

    assert file.name == "r0002_add_what_words_mean.py"
    assert revisions.newest.needed == "0002"
    assert columns(engine) == {"number", "word", "meaning", "at"}
    assert file.read_text().startswith('"""Add what words mean."""\n')
    assert "sa.DateTime(timezone=True)" in file.read_text()


def test_the_first_revision_of_a_service_makes_its_tables(engine: Engine, tmp_path: Path) -> None:
    """A new service has no folder for revisions yet; its first draft makes everything."""
    import sqlalchemy as sa  # noqa: PLC0415 # as the draft calls it

    models = sa.MetaData()
    sa.Table("words", models, sa.Column("number", sa.Integer, primary_key=True))
    schema = Schema("dictionary", tmp_path / "migrations" / "versions")

    file = write_revision(schema, [models, HOUSEKEEPING], "first schema")
    migrate(engine, schema)

    assert file == schema.versions / "r0001_first_schema.py"
    assert "down_revision: Final = None" in file.read_text()
    assert all((folder / "__init__.py").exists() for folder in (file.parent, file.parent.parent))
    with engine.connect() as connection:
        schema.check(connection)
    assert columns(engine) == {"number"}


def approvals(*arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "approvals", *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_command_of_a_service_migrates_its_database(tmp_path: Path) -> None:
    """It needs only the database URL; the service does not start before."""
    given = {"APPROVALS_DATABASE_URL": f"sqlite:///{tmp_path}/approvals.db"}

    before = approvals(**given, APP_API_TOKEN="x" * 16)
    migration = approvals("migrate", **given)
    waiting = approvals("wait-until-migrated", **given)

    assert before.returncode == os.EX_CONFIG
    assert before.stderr.startswith("cannot start: the schema of the database is not migrated yet")
    assert "python -m approvals migrate" in before.stderr
    assert (migration.returncode, waiting.returncode) == (0, 0)
    assert "schema_migrated" in migration.stdout


@pytest.mark.parametrize(
    ("arguments", "variable", "value", "code"),
    [
        (["migrated"], "APPROVALS_HTTP_PORT", "8003", os.EX_USAGE),
        (["migrate", "now"], "APPROVALS_HTTP_PORT", "8003", os.EX_USAGE),
        (["migrate"], "APPROVALS_DATABASE_URI", "sqlite://", os.EX_CONFIG),
        (["migrate"], "APPROVALS_DATABASE_URL", "oracle://", os.EX_CONFIG),
        (["migrate"], "APPROVALS_DATABASE_URL", "sqlite:////dev/null/x.db", 1),
    ],
)
def test_an_invalid_migration_command_gives_the_reason(
    arguments: list[str], variable: str, value: str, code: int
) -> None:
    """Nothing is migrated, and there is no traceback."""
    outcome = approvals(*arguments, **{variable: value})

    assert outcome.returncode == code
    assert outcome.stderr.startswith(("usage: python -m approvals", "cannot "))
    assert len(outcome.stderr.splitlines()) == 1


def test_an_interrupted_migration_has_a_distinct_exit_code(tmp_path: Path) -> None:
    """A job whose process was stopped does not count as done."""
    engine = open_engine(f"sqlite:///{tmp_path}/approvals.db")
    with exclusive(engine):
        process = subprocess.Popen(
            [sys.executable, "-m", "approvals", "migrate"],
            env={**os.environ, "APPROVALS_DATABASE_URL": str(engine.url)},
        )
        process.send_signal(signal.SIGTERM)
        assert process.wait() != 0
    engine.dispose()
