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
    """Work that holds up the writer until it is let go, so that other work gathers behind it."""

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


async def test_what_is_written_is_read(database: Database) -> None:
    """A write is there to be read once it has returned."""
    await write(database, "one")

    assert await words(database) == ["one"]


async def test_a_failing_job_fails_alone(database: Database) -> None:
    """Work that waits is committed together, but what fails in it takes nothing else along."""
    gate, held = await holding(database)
    jobs = [asyncio.create_task(write(database, word)) for word in ("one", "two", "one", "three")]
    await asyncio.sleep(0)
    gate.open()

    outcomes = await asyncio.gather(*jobs, return_exceptions=True)
    await held

    assert [outcome is None for outcome in outcomes] == [True, True, False, True]
    assert await words(database) == ["one", "three", "two"]


async def test_work_that_waits_shares_commits(database: Database) -> None:
    """However many writes come at once, they need far fewer transactions."""
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


async def test_many_concurrent_writes_and_reads(database: Database) -> None:
    """Readers see what is committed while the writer goes on."""
    await asyncio.gather(
        *(write(database, f"word {number:03}") for number in range(100)),
        *(words(database) for _ in range(20)),
    )

    assert await words(database) == [f"word {number:03}" for number in range(100)]


async def test_two_processes_may_write(url: str, database: Database) -> None:
    """Another writer on the same file is waited for."""
    other = Database(url, FromModels(TABLES))

    await asyncio.gather(
        *(write(database, f"a{number}") for number in range(20)),
        *(write(other, f"b{number}") for number in range(20)),
    )

    assert len(await words(database)) == 40
    other.close()


async def test_a_write_that_nobody_waits_for_stops_nothing(database: Database) -> None:
    """A write that was given up before its turn is left out, and the writer goes on."""
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


async def test_giving_up_a_write_in_hand_stops_nothing(database: Database) -> None:
    """A write that was given up while it ran is committed all the same."""
    gate, held = await holding(database)
    held.cancel()
    await asyncio.gather(held, return_exceptions=True)
    gate.open()

    async with asyncio.timeout(PATIENCE_SECONDS):
        await write(database, "kept")

    assert await words(database) == ["kept"]


async def test_closing_finishes_what_was_begun(url: str) -> None:
    """What was asked for before the close is committed; what comes after is refused."""
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


async def test_moments_come_back_in_utc(database: Database) -> None:
    """A point in time is the same when it is read, whatever zone it was written in."""
    moment = datetime(2026, 3, 1, 13, 0, 0, 123456, tzinfo=timezone(timedelta(hours=5)))
    await database.write(
        lambda connection: connection.execute(insert(WORDS).values(word="when", at=moment))
    )

    read = await database.read(lambda connection: connection.scalar(select(WORDS.c.at)))

    assert read == moment
    assert read is not None
    assert read.tzinfo is UTC


async def test_the_check_passes_on_a_database_that_can_be_written(database: Database) -> None:
    """Readiness asks the database itself, again and again."""
    await database.check()
    await database.check()


async def test_the_check_fails_while_nothing_can_be_written(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A database that is read-only answers, and cannot be used all the same."""
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


async def test_every_error_of_a_server_but_refusals_of_values_means_later(
    database: Database,
) -> None:
    """Classes 22 and 23 and what a trigger raises are the work's own; all others pass."""
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
    """Return what comes of work that raises."""

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
async def test_an_error_of_the_driver_means_later(database: Database, error: Exception) -> None:
    """Where SQLAlchemy passes on what the driver raises, as at connecting, it means the same."""

    def work(_: Connection) -> None:
        raise error

    with pytest.raises(DatabaseUnavailable):
        await database.write(work)


async def test_what_the_work_did_wrong_is_raised_as_it_is(database: Database) -> None:
    """A row that must not be there twice is refused by the database, and stays refused."""
    await write(database, "one")

    with pytest.raises(IntegrityError):
        await write(database, "one")


async def test_a_table_that_is_gone_means_later(database: Database) -> None:
    """A database that was restored without its tables is no fault of the work."""
    await database.write(lambda connection: connection.execute(text("DROP TABLE words")))

    with pytest.raises(DatabaseUnavailable, match="no such table"):
        await write(database, "one")


@pytest.mark.parametrize("place", ["file/folder/x.db", "file", "folder"])
def test_a_file_that_cannot_be_a_database_names_the_setting(tmp_path: Path, place: str) -> None:
    """A folder that cannot be made, another file and a folder are said with their path."""
    (tmp_path / "file").write_text("not a database " * 1000)
    (tmp_path / "folder").mkdir()

    with pytest.raises(Unusable, match=f"{tmp_path / place} cannot be used: ") as raised:
        Database(f"sqlite:///{tmp_path / place}", FromModels(TABLES))

    assert raised.value.field == "database_url"


def test_a_start_that_fails_ends_the_process(url: str) -> None:
    """A database that nobody has closed holds no process back from its exit code."""
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
