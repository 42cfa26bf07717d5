import asyncio
import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import (
    Column,
    Connection,
    Integer,
    MetaData,
    String,
    Table,
    event,
    func,
    insert,
    select,
    text,
)
from sqlalchemy.exc import DBAPIError, IntegrityError

from fakes.schemas import FromModels
from orderflow_hosting import database as module
from orderflow_hosting.database import (
    Database,
    DatabaseClosed,
    DatabaseUnavailable,
    Utc,
)
from orderflow_hosting.setting_types import Unusable

TABLES = MetaData()
WORDS = Table(
    "words",
    TABLES,
    Column("number", Integer, primary_key=True),
    Column("word", String(20), unique=True),
    Column("at", Utc),
)
PATIENCE_SECONDS = 60


class Gate:
    """Work that blocks the writer until it is opened, so that other work queues up behind it."""

    def __init__(self) -> None:
        self.entered = threading.Event()
        self._open = threading.Event()

    def __call__(self, _: Connection) -> None:
        """Wait for the gate to be opened."""
        self.entered.set()
        assert self._open.wait(PATIENCE_SECONDS)

    def open(self) -> None:
        """Let the writer go on."""
        self._open.set()


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/made/on/the/way/words.db"


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    database = Database(url, FromModels(TABLES))
    yield database
    database.close()


async def write(database: Database, word: str) -> None:
    await database.write(lambda connection: connection.execute(insert(WORDS).values(word=word)))


async def words(database: Database) -> list[str | None]:
    query = select(WORDS.c.word).order_by(WORDS.c.word)
    return list(await database.read(lambda connection: connection.scalars(query).all()))


async def holding(database: Database) -> tuple[Gate, "asyncio.Task[None]"]:
    gate = Gate()
    held = asyncio.create_task(database.write(gate))
    assert await asyncio.to_thread(gate.entered.wait, PATIENCE_SECONDS)
    return gate, held


async def test_a_write_can_be_read_once_it_has_returned(database: Database) -> None:
    """The write is committed before its call returns."""
    await write(database, "one")

    assert await words(database) == ["one"]


async def test_a_failing_job_fails_alone(database: Database) -> None:
    """Queued work is committed together, but a failing job affects no other."""
    gate, held = await holding(database)
    jobs = [asyncio.create_task(write(database, word)) for word in ("one", "two", "one", "three")]
    await asyncio.sleep(0)
    gate.open()

    outcomes = await asyncio.gather(*jobs, return_exceptions=True)
    await held

    assert [outcome is None for outcome in outcomes] == [True, True, False, True]
    assert await words(database) == ["one", "three", "two"]


async def test_queued_writes_share_commits(database: Database) -> None:
    """Many concurrent writes need far fewer transactions."""
    transactions: set[int] = set()

    def work(connection: Connection) -> None:
        transactions.add(id(connection.get_transaction()))
        connection.execute(insert(WORDS))

    gate, held = await holding(database)
    jobs = [asyncio.create_task(database.write(work)) for _ in range(200)]
    await asyncio.sleep(0)
    gate.open()
    await asyncio.gather(held, *jobs)

    count = select(func.count()).select_from(WORDS)
    assert await database.read(lambda connection: connection.scalar(count)) == 200
    assert len(transactions) <= 10


async def test_reads_continue_during_writes(database: Database) -> None:
    """Readers see what is committed while the writer goes on."""
    await asyncio.gather(
        *(write(database, f"word {number:03}") for number in range(100)),
        *(words(database) for _ in range(20)),
    )

    assert await words(database) == [f"word {number:03}" for number in range(100)]


async def test_two_processes_may_write(url: str, database: Database) -> None:
    """A writer waits for another writer on the same file."""
    other = Database(url, FromModels(TABLES))

    await asyncio.gather(
        *(write(database, f"a{number}") for number in range(20)),
        *(write(other, f"b{number}") for number in range(20)),
    )

    assert len(await words(database)) == 40
    other.close()


async def test_a_write_cancelled_in_the_queue_is_skipped(database: Database) -> None:
    """The writer goes on with the next write."""
    gate, held = await holding(database)
    given_up = asyncio.create_task(write(database, "given up"))
    await asyncio.sleep(0)
    given_up.cancel()
    await asyncio.gather(given_up, return_exceptions=True)
    gate.open()
    await held

    async with asyncio.timeout(PATIENCE_SECONDS):
        await write(database, "kept")

    assert await words(database) == ["kept"]


async def test_a_write_cancelled_while_it_runs_is_committed(database: Database) -> None:
    """The writer goes on with the next write."""
    gate, held = await holding(database)
    held.cancel()
    await asyncio.gather(held, return_exceptions=True)
    gate.open()

    async with asyncio.timeout(PATIENCE_SECONDS):
        await write(database, "kept")

    assert await words(database) == ["kept"]


async def test_closing_commits_pending_writes(url: str) -> None:
    """Writes requested before the close are committed; later ones are refused."""
    database = Database(url, FromModels(TABLES))
    gate, held = await holding(database)
    jobs = [asyncio.create_task(write(database, f"word {number}")) for number in range(100)]
    await asyncio.sleep(0)
    closing = asyncio.create_task(asyncio.to_thread(database.close))
    gate.open()

    await asyncio.gather(held, closing, *jobs)

    reopened = Database(url, FromModels(TABLES))
    assert len(await words(reopened)) == 100
    reopened.close()
    with pytest.raises(DatabaseClosed):
        await write(database, "late")
    with pytest.raises(DatabaseClosed):
        await words(database)


async def test_times_are_read_in_utc(database: Database) -> None:
    """A point in time stays the same, whatever zone it was written in."""
    moment = datetime(2026, 3, 1, 13, 0, 0, 123456, tzinfo=timezone(timedelta(hours=5)))
    await database.write(
        lambda connection: connection.execute(insert(WORDS).values(word="when", at=moment))
    )

    read = await database.read(lambda connection: connection.scalar(select(WORDS.c.at)))

    assert read == moment
    assert read is not None
    assert read.tzinfo is UTC


async def test_the_check_passes_on_a_writable_database(database: Database) -> None:
    """Readiness asks the database itself, every time."""
    await database.check()
    await database.check()


async def test_the_check_fails_on_a_read_only_database(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A read-only database answers, but is of no use."""
    monkeypatch.setattr(module, "PROVEN_SECONDS", 0)
    await database.check()

    def make_read_only(connection: Connection) -> None:
        connection.exec_driver_sql("PRAGMA query_only=ON")

    event.listen(database._engine, "begin", make_read_only)
    with pytest.raises(DatabaseUnavailable, match="readonly"):
        await database.check()
    with pytest.raises(DatabaseUnavailable, match="readonly"):
        await write(database, "one")
    assert await words(database) == []

    event.remove(database._engine, "begin", make_read_only)
    event.listen(database._engine, "begin", _make_writable)
    await database.check()
    await write(database, "one")


def _make_writable(connection: Connection) -> None:
    connection.exec_driver_sql("PRAGMA query_only=OFF")


POSTGRESQL_ERRORS = sorted(
    {psycopg.errors.lookup(state) for state in psycopg.errors._sqlcodes if len(state) == 5},
    key=lambda error: str(error.sqlstate),
)


async def test_server_errors_are_temporary_except_rejected_values(
    database: Database,
) -> None:
    """Classes 22 and 23 and trigger errors are the work's own; all others may pass."""
    assert len(POSTGRESQL_ERRORS) > 200
    for error in POSTGRESQL_ERRORS:
        is_own = str(error.sqlstate)[:2] in ("22", "23") or error.sqlstate == "P0001"
        raised = DBAPIError.instance("SELECT secret", {}, error("why\nnot"), psycopg.Error)
        for use in (database.write, database.read):
            outcome = await outcome_of(use, raised)
            name = f"{use.__name__}: {error.sqlstate} {error.__name__}"
            assert isinstance(outcome, DBAPIError if is_own else DatabaseUnavailable), name
            assert is_own or str(outcome) == "why not", name


async def outcome_of(
    use: Callable[[Callable[[Connection], None]], Awaitable[None]], raised: Exception
) -> Exception | None:
    """Return the outcome of work that raises."""

    def work(_: Connection) -> None:
        raise raised

    try:
        await use(work)
    except Exception as outcome:  # noqa: BLE001 # the test decides which it must be
        return outcome
    return None


@pytest.mark.parametrize(
    "error",
    [
        sqlite3.OperationalError("disk I/O error"),
        sqlite3.DatabaseError("database disk image is malformed"),
        psycopg.OperationalError("the connection is closed"),
        psycopg.errors.ReadOnlySqlTransaction("cannot execute INSERT in a read-only transaction"),
    ],
    ids=repr,
)
async def test_a_driver_error_is_temporary(database: Database, error: Exception) -> None:
    """Errors that SQLAlchemy passes on unchanged, as at connecting, are temporary, too."""

    def work(_: Connection) -> None:
        raise error

    with pytest.raises(DatabaseUnavailable):
        await database.write(work)


async def test_a_constraint_violation_is_raised_unchanged(database: Database) -> None:
    """A duplicate row is refused by the database, and stays refused."""
    await write(database, "one")

    with pytest.raises(IntegrityError):
        await write(database, "one")


async def test_a_missing_table_is_a_temporary_error(database: Database) -> None:
    """A database restored without its tables is not the work's fault."""
    await database.write(lambda connection: connection.execute(text("DROP TABLE words")))

    with pytest.raises(DatabaseUnavailable, match="no such table"):
        await write(database, "one")


@pytest.mark.parametrize("place", ["file/folder/x.db", "file", "folder"])
def test_an_unusable_database_file_is_reported_with_its_setting(tmp_path: Path, place: str) -> None:
    """A folder that cannot be made and a file of another kind are named by their path."""
    (tmp_path / "file").write_text("not a database " * 1000)
    (tmp_path / "folder").mkdir()

    with pytest.raises(Unusable, match=f"{tmp_path / place} cannot be used: ") as raised:
        Database(f"sqlite:///{tmp_path / place}", FromModels(TABLES))

    assert raised.value.field == "database_url"


def test_a_failed_start_ends_the_process(url: str) -> None:
    """A database that was not closed does not keep the process alive."""
    program = (
        "import sys; from sqlalchemy import MetaData; from fakes.schemas import FromModels; "
        "from orderflow_hosting.database import Database; "
        "database = Database(sys.argv[1], FromModels(MetaData())); sys.exit(78)"
    )

    outcome = subprocess.run(
        [sys.executable, "-c", program, url],
        cwd=Path(__file__).parents[2],
        timeout=PATIENCE_SECONDS,
        check=False,
    )

    assert outcome.returncode == os.EX_CONFIG
