"""A service's own tables: many readers, and one writer."""

import asyncio
import contextlib
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import ClassVar, Final, NoReturn, Protocol, Self, TypeVar

import psycopg
import structlog
from sqlalchemy import (
    Column,
    Connection,
    DateTime,
    Dialect,
    Integer,
    Table,
    TypeDecorator,
    insert,
    text,
    update,
)
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from orderflow_contracts.fields import Clock, now
from orderflow_hosting.engines import open_engine, reason, usable
from orderflow_hosting.migrations.schema import HOUSEKEEPING, UnsuitableSchema
from orderflow_hosting.problems import Unavailable
from orderflow_hosting.write_queue import WriteQueue

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

T = TypeVar("T")

READERS = 4
FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 5.0
LOOK_AGAIN_SECONDS = 0.1
DEADLINE_SECONDS = 40.0
"""How long a read or a write may take, with its wait for others.

This is longer than SQLite waits for a lock (30 s), and than PostgreSQL does, including the time
until a vanished server is noticed (35 s): their own errors say more.
"""
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


PROBE: Final = Table(
    "write_probe",
    HOUSEKEEPING,
    Column("number", Integer, primary_key=True),
    Column("at", Utc, nullable=False),
)
"""A row for each probe: `Database.check` changes the first, so that the database has to write."""


class CheckedSchema(Protocol):
    """The schema that a service needs."""

    def check(self, connection: Connection) -> None:
        """Raise `UnsuitableSchema` if the database has another one."""
        ...


class DatabaseUnavailable(Unavailable):
    """The database cannot be used at the moment; whether a write was committed is unknown."""

    code: ClassVar = "STORE_UNAVAILABLE"
    detail: ClassVar = "the database cannot be used at the moment"


class DatabaseTooSlow(DatabaseUnavailable):
    """The database has not answered in time."""


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

For example: a failover (read only), a full disk, limits, revoked rights, or missing tables.
"""


class Database:
    """Tables by URL, used from one event loop.

    All writes go through one thread: SQLite takes one writer at a time anyway, and work that
    waits meanwhile shares the next commit, whose cost hardly depends on its size. A failure affects
    no other work. Work may run twice, so it must touch nothing but its connection, and must be
    safe to commit twice: after a lost connection the outcome is unknown.

    Where several processes share a database, only one of them writes at a time, on PostgreSQL
    too. So work that reads, decides and writes needs no locks of its own, and numbers that count
    up become visible one after another.

    The schema of an SQLite file is checked at once: raises `UnsuitableSchema`, or `Unusable` for a
    file that is not a database. A server may start later than this process: until it has answered,
    reading and writing raise `DatabaseNotReady`, and `refusal` raises if its schema is unsuitable.

    `read` and `write` raise what the work raises, and `DatabaseUnavailable` for every error that
    the work's own values did not cause. `changed` is set after each write of this process.
    """

    def __init__(self, url: str, schema: CheckedSchema, clock: Clock = now) -> None:
        self._engine = open_engine(url)
        self._queue = WriteQueue(self._engine.execution_options(writes=True))
        self._schema = schema
        self._clock = clock
        self._ended_by: BaseException | None = None
        self._ready = threading.Event()
        self._why_not = "it has not answered yet"
        self.changed = asyncio.Event()
        self._closing = threading.Lock()
        self._closed = threading.Event()
        if not self.is_shared:
            with contextlib.ExitStack() as failed:
                failed.callback(self._engine.dispose)
                with usable(self._engine.url):
                    self._check_schema()
                failed.pop_all()
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="database-reader")
        # A process that forgets `close` must still end; `close` waits for the thread.
        self._writer = threading.Thread(target=self._write_all, name="database-writer", daemon=True)
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

    async def refusal(self) -> NoReturn:
        """Raise `UnsuitableSchema` once the schema turns out to be unsuitable.

        Raises whatever has ended the writer's thread, too: nothing can be written any more.
        """
        while self._ended_by is None:  # noqa: ASYNC110 # the writer's thread sets it
            await asyncio.sleep(LOOK_AGAIN_SECONDS)
        raise self._ended_by

    async def write(self, work: Callable[[Connection], T], *, is_change: bool = True) -> T:
        """Run the work in a transaction; return its result once that is committed.

        `changed` is set unless nobody needs to look at what the work did.
        """
        self._must_be_ready()
        with self._closing:
            if self._closed.is_set():
                raise DatabaseClosed("the database is closed")
            result = self._queue.put(work)
        done = await _in_time(result)
        if is_change:
            self.changed.set()
        return done

    async def read(self, work: Callable[[Connection], T]) -> T:
        """Run the work, which writes nothing, on a connection of its own."""
        self._must_be_ready()
        if self._closed.is_set():
            raise DatabaseClosed("the database is closed")

        def run() -> T:
            with self._engine.connect() as connection:
                return work(connection)

        return await _in_time(asyncio.get_running_loop().run_in_executor(self._readers, run))

    async def check(self) -> None:
        """Raise `DatabaseUnavailable` unless the database can be read and written.

        A write is tried only when no other has been committed for a while.
        """
        await self.read(lambda connection: connection.execute(text("SELECT 1")).scalar())
        if time.monotonic() - self._queue.committed_at > PROVEN_SECONDS:
            await self.write(self._write_probe)

    def close(self) -> None:
        """Finish the work that was begun, then close all connections."""
        with self._closing:
            self._closed.set()
            self._queue.end()
        self._writer.join()
        self._readers.shutdown()
        self._engine.dispose()

    def _write_probe(self, connection: Connection) -> None:
        """Change one row, so that the database has to write."""
        at = self._clock()
        if connection.execute(update(PROBE).where(PROBE.c.number == 1).values(at=at)).rowcount == 0:
            connection.execute(insert(PROBE).values(number=1, at=at))

    def _must_be_ready(self) -> None:
        if not self._ready.is_set():
            raise DatabaseNotReady(f"the database is not ready: {self._why_not}")

    def _check_schema(self) -> None:
        with self._engine.connect() as connection:
            self._schema.check(connection)
        self._ready.set()

    def _write_all(self) -> None:
        try:
            self._work()
        except BaseException as error:
            self._ended_by = error
            log.exception("database_writer_failed")

    def _work(self) -> None:
        pause = FIRST_PAUSE_SECONDS
        while not self._ready.is_set():
            try:
                self._check_schema()
            except UnsuitableSchema as error:
                self._why_not = str(error)
                self._ended_by = error
                return
            except Exception as error:  # noqa: BLE001 # whatever it is, it may be fixed meanwhile
                self._why_not = reason(error)
                log.warning("database_waits", why=self._why_not)
                if self._closed.wait(pause):
                    return
                pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
        self._queue.run()


async def _in_time(result: asyncio.Future[T]) -> T:
    """Return a result. Work that has not begun in time is never run; other work goes on."""
    try:
        async with asyncio.timeout(DEADLINE_SECONDS):
            with _map_errors():
                return await result
    except TimeoutError:
        raise DatabaseTooSlow(f"no result within {DEADLINE_SECONDS:g} s") from None


@contextlib.contextmanager
def _map_errors() -> Iterator[None]:
    """Raise `DatabaseUnavailable` for errors that the work did not cause."""
    try:
        yield
    except (DBAPIError, PoolTimeoutError, sqlite3.Error, psycopg.Error) as error:
        cause = error.orig if isinstance(error, DBAPIError) else error
        if isinstance(cause, _CAUSED_BY_THE_WORK):
            raise
        raise DatabaseUnavailable(reason(error)) from error
