"""Background work: it runs beside the requests a process serves, and retries until it succeeds."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Hashable, Iterable
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Self, TypeVar

import structlog
from tenacity import AsyncRetrying, RetryCallState

from orderflow_hosting.retrying import is_around
from orderflow_hosting.supervision import Supervised, Work

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

T = TypeVar("T")
Sleep = Callable[[float], Awaitable[None]]


@dataclass(frozen=True)
class Backoff:
    """Seconds between attempts: doubled from the first up to the longest, with jitter."""

    first: float = 0.5
    longest: float = 15.0

    def after(self, attempts: int) -> float:
        """Return the pause after this many failed attempts; it varies by up to a quarter."""
        doubled = self.first * 2.0 ** min(attempts - 1, 32)
        return min(doubled, self.longest) * random.uniform(0.75, 1.0)  # noqa: S311 # no secret


DEFAULT_BACKOFF = Backoff()


async def retry_until_success(
    work: Callable[[], Awaitable[T]],
    event: str,
    *,
    backoff: Backoff = DEFAULT_BACKOFF,
    sleep: Sleep = asyncio.sleep,
    **fields: object,
) -> T:
    """Run the work until it succeeds and return its result.

    Each failure is logged as `event` with these fields; the first also with its traceback, unless a
    dependency is known to have caused it.
    """

    async def attempt() -> T:
        return await work()  # the work may be a lambda, whose result only `await` runs

    def log_failure(state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome is not None else None
        is_first = state.attempt_number == 1
        trace = (
            error if is_first and isinstance(error, Exception) and not is_around(error) else None
        )
        log.warning(event, attempts=state.attempt_number, why=str(error), exc_info=trace, **fields)

    retrying = AsyncRetrying(
        sleep=sleep,
        wait=lambda state: backoff.after(state.attempt_number),
        before_sleep=log_failure,
    )
    result: T = await retrying(attempt)
    return result


async def keep_repeating(
    work: Work,
    event: str,
    *,
    pauses: Iterable[float],
    backoff: Backoff = DEFAULT_BACKOFF,
    sleep: Sleep = asyncio.sleep,
) -> None:
    """Run the work repeatedly, each time until it succeeds, with these pauses in between."""
    for pause in pauses:
        await retry_until_success(work, event, backoff=backoff, sleep=sleep)
        await sleep(pause)


class BackgroundWork:
    """All background work of a process. Work unfinished at its end is left for the next start.

    All of it is supervised: work that fails, or that is cancelled by anyone else, ends the process.
    """

    def __init__(self, sleep: Sleep = asyncio.sleep) -> None:
        self._sleep = sleep
        self._tasks: set[Supervised] = set()
        self._keys: set[Hashable] = set()
        self._stopped = False

    def __len__(self) -> int:
        return len(self._tasks)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    def start(self, work: Work, *, key: Hashable = None) -> None:
        """Run the work once; work whose key is running already is not started again."""
        if self._stopped or key in self._keys:
            return
        task = Supervised(work)
        self._tasks.add(task)
        task.on_end(lambda: self._tasks.discard(task))
        if key is not None:
            self._keys.add(key)
            task.on_end(lambda: self._keys.discard(key))

    def retry(
        self,
        work: Work,
        event: str,
        *,
        key: Hashable = None,
        gate: asyncio.Semaphore | None = None,
        backoff: Backoff = DEFAULT_BACKOFF,
        **fields: object,
    ) -> None:
        """Run the work until it succeeds, within the gate if there is one.

        Work of the same event and key that is running already is not started again.
        """

        async def run() -> None:
            async with gate or nullcontext():
                await retry_until_success(work, event, backoff=backoff, sleep=self._sleep, **fields)

        self.start(run, key=None if key is None else (event, key))

    def repeat(
        self,
        work: Work,
        event: str,
        *,
        pauses: Iterable[float],
        backoff: Backoff = DEFAULT_BACKOFF,
    ) -> None:
        """Start `keep_repeating`."""
        self.start(
            partial(keep_repeating, work, event, pauses=pauses, backoff=backoff, sleep=self._sleep)
        )

    async def stop(self) -> None:
        """Cancel all work and wait until it has ended; work started later is ignored."""
        self._stopped = True
        await asyncio.gather(*(task.stop() for task in self._tasks))
