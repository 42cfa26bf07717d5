"""Supervised work: whatever ends it unexpectedly is logged, and reported to the process."""

import asyncio
from functools import partial

import pytest
from structlog.testing import capture_logs

from fakes.waiting import until
from orderflow_hosting.background import BackgroundWork
from orderflow_hosting.supervision import Supervised, WorkCancelled, deaths, stop_all


async def endless() -> None:
    await asyncio.Event().wait()


async def faulty(words: str) -> None:
    raise RuntimeError(words)


def task_named(name: str) -> "asyncio.Task[None]":
    [task] = [task for task in asyncio.all_tasks() if task.get_name().endswith(name)]
    return task


async def test_work_that_fails_is_logged_and_reported() -> None:
    """The log has the traceback, and the process gets the error."""
    with capture_logs() as logs, deaths() as death:
        Supervised(partial(faulty, "a fault"))
        error = await asyncio.wait_for(death, 5)

    assert str(error) == "a fault"
    [entry] = logs
    assert (entry["event"], entry["work"]) == ("background_work_failed", "faulty")
    assert entry["exc_info"] is error


async def test_work_cancelled_by_someone_else_is_reported() -> None:
    """A stray cancellation ends a loop as an error does."""
    with capture_logs() as logs, deaths() as death:
        Supervised(endless)
        await asyncio.sleep(0)
        task_named("endless").cancel()
        error = await asyncio.wait_for(death, 5)

    assert isinstance(error, WorkCancelled)
    assert [entry["event"] for entry in logs] == ["background_work_failed"]


async def test_work_that_its_owner_ends_is_not_reported() -> None:
    """Neither stopping nor the regular end is a failure."""
    ended = asyncio.Event()

    async def short() -> None:
        ended.set()

    with capture_logs() as logs, deaths() as death:
        stopped, finished = Supervised(endless), Supervised(short)
        await stopped.stop()
        await until(lambda: finished.is_done)

    assert ended.is_set()
    assert stopped.is_done
    assert not death.done()
    assert logs == []


async def test_work_left_running_is_stopped_at_the_end() -> None:
    """The end of the process is no failure of what was still running."""
    with capture_logs() as logs, deaths() as death:
        left = Supervised(endless)
        await stop_all()

    assert left.is_done
    assert not death.done()
    assert logs == []


@pytest.mark.parametrize("how", ["start", "retry", "repeat"])
async def test_background_work_is_supervised(how: str) -> None:
    """However it was started: even work that is retried cannot survive a cancellation."""
    async with BackgroundWork() as background:
        with deaths() as death:
            if how == "start":
                background.start(endless)
            elif how == "retry":
                background.retry(endless, "failed")
            else:
                background.repeat(endless, "failed", pauses=[1])
            await asyncio.sleep(0)
            [task] = [each for each in asyncio.all_tasks() if each is not asyncio.current_task()]
            task.cancel()

            assert isinstance(await asyncio.wait_for(death, 5), WorkCancelled)


async def test_other_errors_of_the_loop_are_handled_as_before() -> None:
    """Only supervised work ends the process."""
    loop, seen = asyncio.get_running_loop(), list[str]()
    loop.set_exception_handler(lambda _, context: seen.append(context["message"]))
    with deaths() as death:
        loop.call_exception_handler({"message": "something else"})

    assert seen == ["something else"]
    assert not death.done()
    loop.set_exception_handler(None)
