"""A service's own tables: many readers, and one writer that commits waiting work together."""

import asyncio
import contextlib
import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar, Final, Generic, Self, TypeVar

import psycopg
import structlog
from sqlalchemy import (
    URL,
    Column,
    Connection,
    DateTime,
    Dialect,
    Engine,
    Integer,
    MetaData,
    Table,
    TypeDecorator,
    create_engine,
    event,
    insert,
    inspect,
    make_url,
    text,
    update,
)
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.schema import CreateColumn

from orderflow_hosting.postgresql import postgresql_engine
from orderflow_hosting.problems import Unavailable
from orderflow_hosting.setting_types import Unusable

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

T = TypeVar("T")

MOST_IN_ONE_COMMIT = 64
READERS = 4
FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 5.0
LOOK_AGAIN_SECONDS = 0.1
PROVEN_SECONDS = 5.0
"""A commit proves for this long that the database can be written to."""


class Utc(TypeDecorator[datetime]):
    """A point in time that is read back in UTC, also from SQLite, which stores no time zone."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, _: Dialect) -> datetime | None:
        """Convert to UTC before the database drops the time zone."""
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, _: Dialect) -> datetime | None:
        """Restore the time zone that the database dropped."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class DatabaseUnavailable(Unavailable):
    """The database cannot be used at the moment; whether a write was committed is unknown."""

    code: ClassVar = "STORE_UNAVAILABLE"
    detail: ClassVar = "the database cannot be used at the moment"


class DatabaseClosed(DatabaseUnavailable):
    """The database is closed, because the process is stopping."""


class DatabaseNotReady(DatabaseUnavailable):
    """The tables cannot be used yet, because the database has not answered since the start."""


_CAUSED_BY_THE_WORK: Final = (
    sqlite3.DataError,
    sqlite3.IntegrityError,  # also what a trigger of ours refuses
    psycopg.DataError,
    psycopg.IntegrityError,
    psycopg.errors.RaiseException,  # what a trigger of ours refuses
)
"""Refusals of values or rows. Every other error is about the state of the database.

For example: a failover (read only), a full disk, limits, lost rights, or tables not yet created.
"""


class ColumnMissing(Exception):
    """A table of an earlier version lacks a column that has no value for its rows."""

    def __init__(self, column: Column[Any]) -> None:
        super().__init__(f"{column} is missing, and has no default for the existing rows")


class _Job(Generic[T]):
    """One piece of work for the writer, with the future of its result."""

    def __init__(self, work: Callable[[Connection], T]) -> None:
        self.future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._work = work
        self._result: T
        self._error: Exception | None = None

    def run(self, connection: Connection) -> None:
        self._result = self._work(connection)

    @property
    def succeeded(self) -> bool:
        return self._error is None

    def run_alone(self, engine: Engine) -> None:
        try:
            try:
                self._commit(engine)
            except DBAPIError as error:
                if not error.connection_invalidated:
                    raise
                self._commit(engine)  # the connection is lost, but perhaps not the database
        except Exception as error:  # noqa: BLE001 # it is raised where the result is awaited
            self._error = error

    def _commit(self, engine: Engine) -> None:
        with engine.begin() as connection:
            self.run(connection)

    def deliver(self) -> None:
        if self.future.done():
            return
        if self._error is None:
            self.future.set_result(self._result)
        else:
            self.future.set_exception(self._error)


class Database:
    """Tables by URL, used from one event loop.

    All writes go through one thread: SQLite takes one writer at a time anyway, and work that
    waits meanwhile shares the next commit, whose cost hardly depends on its size. Work that fails
    does so alone. Work may run twice, so it must touch nothing but its connection, and must be
    safe to commit twice: after a lost connection the outcome is unknown.

    Where several processes share a database, only one of them writes at a time, on PostgreSQL
    too. So work that reads, decides and writes needs no locks of its own, and numbers that count
    up become visible one after another.

    An SQLite file is made at once, or `Unusable` is raised. A server may come up later than
    this process: until it has answered, reading and writing raise `DatabaseNotReady`.

    `read` and `write` raise what the work raises, and `DatabaseUnavailable` for every error that
    the work's own values did not cause.
    """

    def __init__(self, url: str, tables: MetaData) -> None:
        self._engine = _engine(url)
        self._writing = self._engine.execution_options(writes=True)
        self._tables = tables
        self._probe = _probe_table(tables)
        self._committed_at = -PROVEN_SECONDS
        self._ready = threading.Event()
        self._why_not = "it has not answered yet"
        self._closing = threading.Lock()
        self._closed = threading.Event()
        self._jobs: queue.SimpleQueue[_Job[Any] | None] = queue.SimpleQueue()
        if not self.is_shared:
            with contextlib.ExitStack() as failed:
                failed.callback(self._engine.dispose)
                with _usable(self._engine.url):
                    self._prepare()
                failed.pop_all()
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="database-reader")
        # A process that forgets `close` must still end; `close` waits for the thread.
        self._writer = threading.Thread(target=self._work, name="database-writer", daemon=True)
        self._writer.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def is_shared(self) -> bool:
        """Whether processes on other machines may use the same tables."""
        return self._engine.dialect.name != "sqlite"

    async def ready(self) -> None:
        """Wait until the tables can be used."""
        while not self._ready.is_set():  # noqa: ASYNC110 # the writer's thread sets it
            await asyncio.sleep(LOOK_AGAIN_SECONDS)

    async def write(self, work: Callable[[Connection], T]) -> T:
        """Run the work in a transaction; return its result once that is committed."""
        self._must_be_ready()
        job = _Job(work)
        with self._closing:
            if self._closed.is_set():
                raise DatabaseClosed("the database is closed")
            self._jobs.put(job)
        with _map_errors():
            return await job.future

    async def read(self, work: Callable[[Connection], T]) -> T:
        """Run the work on a connection of its own that writes nothing."""
        self._must_be_ready()
        if self._closed.is_set():
            raise DatabaseClosed("the database is closed")

        def run() -> T:
            with self._engine.connect() as connection:
                return work(connection)

        with _map_errors():
            return await asyncio.get_running_loop().run_in_executor(self._readers, run)

    async def check(self) -> None:
        """Raise `DatabaseUnavailable` unless the database can be read and written.

        A write is tried only when no other has been committed for a while.
        """
        await self.read(lambda connection: connection.execute(text("SELECT 1")).scalar())
        if time.monotonic() - self._committed_at > PROVEN_SECONDS:
            await self.write(self._write_probe)

    def close(self) -> None:
        """Finish what was begun, then let go of all connections."""
        with self._closing:
            self._closed.set()
            self._jobs.put(None)
        self._writer.join()
        self._readers.shutdown()
        self._engine.dispose()

    def _write_probe(self, connection: Connection) -> None:
        """Change one row, so that the database has to write."""
        at = datetime.now(UTC)
        if connection.execute(update(self._probe).values(at=at)).rowcount == 0:
            connection.execute(insert(self._probe).values(number=1, at=at))

    def _must_be_ready(self) -> None:
        if not self._ready.is_set():
            raise DatabaseNotReady(f"the database is not ready: {self._why_not}")

    def _prepare(self) -> None:
        with self._writing.begin() as connection:
            self._tables.create_all(connection)
        _add_missing_columns(self._engine, self._tables)
        _add_missing_indexes(self._engine, self._tables)
        self._ready.set()

    def _work(self) -> None:
        pause = FIRST_PAUSE_SECONDS
        while not self._ready.is_set():
            try:
                self._prepare()
            except Exception as error:  # noqa: BLE001 # whatever it is, it may be fixed meanwhile
                self._why_not = _reason(error)
                log.warning("database_waits", why=self._why_not)
                if self._closed.wait(pause):
                    return
                pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
        self._write_jobs()

    def _write_jobs(self) -> None:
        while (jobs := self._next_jobs()) is not None:
            wanted = [job for job in jobs if not job.future.done()]
            if wanted:
                self._commit_together(wanted)
                self._deliver(wanted)

    def _next_jobs(self) -> list[_Job[Any]] | None:
        """Wait for a job, and take the other waiting ones with it; None at the end."""
        first = self._jobs.get()
        if first is None:
            return None
        jobs = [first]
        while len(jobs) < MOST_IN_ONE_COMMIT and not self._jobs.empty():
            job = self._jobs.get()
            if job is None:
                self._jobs.put(None)
                break
            jobs.append(job)
        return jobs

    def _commit_together(self, jobs: Sequence[_Job[Any]]) -> None:
        if len(jobs) == 1 or not self._commit_as_one(jobs):
            for job in jobs:
                job.run_alone(self._writing)
        if any(job.succeeded for job in jobs):
            self._committed_at = time.monotonic()

    def _commit_as_one(self, jobs: Sequence[_Job[Any]]) -> bool:
        """Run all in one transaction; return False if any of them fails."""
        try:
            with self._writing.begin() as connection:
                for job in jobs:
                    job.run(connection)
        except Exception:  # noqa: BLE001 # each has its own error when it runs alone
            return False
        return True

    def _deliver(self, jobs: Sequence[_Job[Any]]) -> None:
        """Wake the event loop once for all results: waking costs more than delivering."""

        def deliver() -> None:
            for job in jobs:
                job.deliver()

        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody is waiting
            jobs[0].future.get_loop().call_soon_threadsafe(deliver)


@contextlib.contextmanager
def _map_errors() -> Iterator[None]:
    """Raise `DatabaseUnavailable` for errors that the work did not cause."""
    try:
        yield
    except (DBAPIError, PoolTimeoutError, sqlite3.Error, psycopg.Error) as error:
        cause = error.orig if isinstance(error, DBAPIError) else error
        if isinstance(cause, _CAUSED_BY_THE_WORK):
            raise
        raise DatabaseUnavailable(_reason(error)) from error


def _probe_table(tables: MetaData) -> Table:
    """Add the table with the one row that `Database.check` writes, unless it exists."""
    return Table(
        "write_probe",
        tables,
        Column("number", Integer, primary_key=True),
        Column("at", Utc, nullable=False),
        keep_existing=True,
    )


def _reason(error: Exception) -> str:
    """Return the database's message in one line; neither it nor its driver reveals the password."""
    message = str(error.orig) if isinstance(error, DBAPIError) else str(error)
    return " ".join(message.split()) or type(error).__name__


def _add_missing_columns(engine: Engine, tables: MetaData) -> None:
    """Add the columns that tables of an earlier version lack; their rows stay.

    Each addition is a transaction of its own. Two processes that start at once may both try: one
    is refused by the database, and finds that what it wanted is there. Raises `ColumnMissing`.
    """
    for table in tables.sorted_tables:
        for column in _missing(engine, table):
            if not column.nullable and column.server_default is None:
                raise ColumnMissing(column)
            try:
                with engine.execution_options(writes=True).begin() as connection:
                    connection.execute(text(_addition(engine.dialect, table, column)))
            except DBAPIError:
                if column.name in {each.name for each in _missing(engine, table)}:
                    raise


def _add_missing_indexes(engine: Engine, tables: MetaData) -> None:
    """Make the indexes that tables of an earlier version lack, one process after the other."""
    for table in tables.sorted_tables:
        known = {index["name"] for index in inspect(engine).get_indexes(table.name, table.schema)}
        for index in sorted(table.indexes, key=lambda index: str(index.name)):
            if index.name not in known:
                with engine.execution_options(writes=True).begin() as connection:
                    index.create(connection, checkfirst=True)


def _missing(engine: Engine, table: Table) -> list[Column[Any]]:
    found = {column["name"] for column in inspect(engine).get_columns(table.name, table.schema)}
    return [column for column in table.columns if column.name not in found]


def _addition(dialect: Dialect, table: Table, column: Column[Any]) -> str:
    name = dialect.identifier_preparer.format_table(table)
    return f"ALTER TABLE {name} ADD COLUMN {CreateColumn(column).compile(dialect=dialect)}"


@contextlib.contextmanager
def _usable(url: URL) -> Iterator[None]:
    """Raise `Unusable` where the file of an SQLite database cannot be made or read."""
    try:
        yield
    except (OSError, DBAPIError) as error:
        why = error.strerror if isinstance(error, OSError) else _reason(error)
        raise Unusable("database_url", f"{url.database} cannot be used: {why}") from error


def _engine(url: str) -> Engine:
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite":
        return postgresql_engine(parsed)
    if parsed.database:
        with _usable(parsed):
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
