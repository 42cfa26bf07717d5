"""Background work: it retries until it succeeds, once per key, and stops with the process."""

import asyncio
import itertools
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from structlog.testing import capture_logs

from fakes.waiting import until
from orderflow_hosting.background import BackgroundWork, Backoff, retry_until_success
from orderflow_hosting.problems import Unavailable


class Pauses:
    """A sleep that takes no time and records how long it should have taken."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.seconds.append(seconds)
        await asyncio.sleep(0)


@pytest.fixture
def pauses() -> Pauses:
    return Pauses()


def failing(times: int, error: Exception) -> Callable[[], Coroutine[Any, Any, int]]:
    """Make work that fails this many times and then returns how often it was run."""
    runs = itertools.count(1)

    async def work() -> int:
        run = next(runs)
        if run <= times:
            raise error
        return run

    return work


async def test_work_is_retried_until_it_succeeds(pauses: Pauses) -> None:
    """However often it fails, its result is returned after growing pauses."""
    result = await retry_until_success(
        failing(40, RuntimeError("no")), "work_failed", sleep=pauses.sleep, backoff=Backoff(1, 8)
    )

    assert result == 41
    assert len(pauses.seconds) == 40
    assert 0.75 <= pauses.seconds[0] <= 1 < pauses.seconds[1] <= 2 < pauses.seconds[2] <= 4
    assert all(6 <= seconds <= 8 for seconds in pauses.seconds[3:])


async def test_each_failure_is_logged_with_its_event_and_fields(pauses: Pauses) -> None:
    """An unknown error is logged once with its traceback, a known temporary one without."""
    with capture_logs() as logs:
        for error in (RuntimeError("odd"), Unavailable("away")):
            await retry_until_success(
                failing(2, error), "handover_failed", sleep=pauses.sleep, order_id="o-1"
            )

    logged = [(log["event"], log["order_id"], log["attempts"], log["why"]) for log in logs]
    assert logged == [
        ("handover_failed", "o-1", attempts, why) for why in ("odd", "away") for attempts in (1, 2)
    ]
    assert [log["exc_info"] is not None for log in logs] == [True, False, False, False]


async def test_work_that_is_a_lambda_is_awaited(pauses: Pauses) -> None:
    """A plain function that returns an awaitable is retried as well."""
    work = failing(3, RuntimeError("no"))

    result = await retry_until_success(
        lambda: asyncio.wait_for(work(), None), "work_failed", sleep=pauses.sleep
    )

    assert result == 4


async def test_work_of_one_key_runs_once_at_a_time() -> None:
    """A key that is running already is not started again; afterwards it may be."""
    release = asyncio.Event()
    started: list[str] = []

    def named(name: str) -> Callable[[], Coroutine[Any, Any, None]]:
        async def work() -> None:
            started.append(name)
            await release.wait()

        return work

    async with BackgroundWork() as background:
        for _ in range(3):
            background.retry(named("one"), "failed", key="one")
        background.retry(named("two"), "failed", key="two")
        background.retry(named("other event"), "other_failed", key="one")
        await until(lambda: len(started) == 3)
        assert len(background) == 3

        release.set()
        await until(lambda: not background)
        background.retry(named("again"), "failed", key="one")
        await until(lambda: started[3:] == ["again"])


async def test_a_gate_limits_what_runs_together() -> None:
    """Work within a gate of two never runs three at a time."""
    running, most, done = 0, 0, 0

    async def work() -> None:
        nonlocal running, most, done
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1
        done += 1

    gate = asyncio.Semaphore(2)
    async with BackgroundWork() as background:
        for _ in range(9):
            background.retry(work, "failed", gate=gate)
        await until(lambda: done == 9)

    assert most == 2


async def test_repeated_work_pauses_after_each_success(pauses: Pauses) -> None:
    """A failure is retried after the backoff; only then does the pause of the repetition come."""
    outcomes = iter([None, RuntimeError("no"), None, None])
    runs = 0

    async def work() -> None:
        nonlocal runs
        runs += 1
        if (error := next(outcomes)) is not None:
            raise error

    async with BackgroundWork(pauses.sleep) as background:
        background.repeat(work, "failed", pauses=[60, 120, 240])
        await until(lambda: not background)

    assert runs == 4
    first, failed, *others = pauses.seconds
    assert (first, others) == (60, [120, 240])
    assert failed < 1


async def test_stopping_waits_until_all_work_has_ended() -> None:
    """Work is cancelled, gets to clean up, and nothing new starts afterwards."""
    ended: list[str] = []

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            ended.append("cleaned up")

    background = BackgroundWork()
    background.start(work)
    background.retry(work, "failed")
    await asyncio.sleep(0)

    await background.stop()
    background.start(work)

    assert ended == ["cleaned up", "cleaned up"]
    assert not background


async def test_work_that_ends_with_an_error_is_logged() -> None:
    """An error is logged even if nothing awaits the work."""

    async def work() -> None:
        raise RuntimeError("a fault")

    with capture_logs() as logs:
        async with BackgroundWork() as background:
            background.start(work)
            await until(lambda: not background)

    assert [log["event"] for log in logs] == ["background_work_failed"]


def test_pauses_grow_up_to_the_longest() -> None:
    """Each pause is about twice the one before, and none is over the longest."""
    backoff = Backoff(first=1.0, longest=30.0)

    assert 0.75 <= backoff.after(1) <= 1.0
    assert 3.0 <= backoff.after(3) <= 4.0
    assert 22.5 <= backoff.after(100_000) <= 30.0
