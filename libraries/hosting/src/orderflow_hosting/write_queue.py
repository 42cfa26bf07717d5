"""The work of the one thread that writes: what waits meanwhile shares the next commit."""

import asyncio
import contextlib
import math
import queue
import time
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

T = TypeVar("T")

MAX_IN_ONE_COMMIT = 64


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


class WriteQueue:
    """The work that waits for the one thread that writes.

    Work that fails does so alone. `committed_at` is the monotonic time of the latest commit.
    """

    def __init__(self, engine: Engine) -> None:
        self.committed_at = -math.inf
        self._engine = engine
        self._jobs: queue.SimpleQueue[_Job[Any] | None] = queue.SimpleQueue()

    def put(self, work: Callable[[Connection], T]) -> asyncio.Future[T]:
        """Add work, and return the future of its result."""
        job = _Job(work)
        self._jobs.put(job)
        return job.future

    def end(self) -> None:
        """Let `run` return when it has done what was added before."""
        self._jobs.put(None)

    def run(self) -> None:
        """Do the work, in the thread that calls this, until the queue ends."""
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
        while len(jobs) < MAX_IN_ONE_COMMIT and not self._jobs.empty():
            job = self._jobs.get()
            if job is None:
                self._jobs.put(None)
                break
            jobs.append(job)
        return jobs

    def _commit_together(self, jobs: Sequence[_Job[Any]]) -> None:
        if len(jobs) == 1 or not self._commit_as_one(jobs):
            for job in jobs:
                job.run_alone(self._engine)
        if any(job.succeeded for job in jobs):
            self.committed_at = time.monotonic()

    def _commit_as_one(self, jobs: Sequence[_Job[Any]]) -> bool:
        """Run all in one transaction; return False if any of them fails."""
        try:
            with self._engine.begin() as connection:
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
