"""Supervised work: if it fails, the process ends, and whatever started the process restarts it.

A loop that died silently would leave a process that looks healthy and no longer does its work.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final
from weakref import WeakSet

import structlog

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

Work = Callable[[], Awaitable[None]]

_DIED: Final = "supervised_work"
"""The key by which the event loop's exception handler recognises supervised work."""
_tasks: "WeakSet[Supervised]" = WeakSet()


class WorkCancelled(Exception):
    """Supervised work was cancelled, but not by its owner."""


class Supervised:
    """A task that runs until its work is done or its owner cancels it.

    Any other end, by an error or by someone else's cancellation, is logged with its traceback and
    reported to `deaths`.
    """

    def __init__(self, work: Work) -> None:
        self._name = _name_of(work)
        self._is_cancelled = False
        self._task = asyncio.create_task(_awaited(work), name=self._name)
        self._task.add_done_callback(self._ended)
        _tasks.add(self)

    @property
    def is_done(self) -> bool:
        """Whether the work has ended."""
        return self._task.done()

    def on_end(self, callback: Callable[[], object]) -> None:
        """Call this when the work has ended, in whatever way."""
        self._task.add_done_callback(lambda _: callback())

    def cancel(self) -> None:
        """Cancel the work; this is not reported."""
        self._is_cancelled = True
        self._task.cancel()

    async def stop(self) -> None:
        """Cancel the work, and wait until it has ended."""
        self.cancel()
        await asyncio.wait({self._task})

    def _ended(self, task: "asyncio.Task[None]") -> None:
        error = self._reason(task)
        if error is not None:
            log.error("background_work_failed", work=self._name, exc_info=error)
            context = {"message": "background work failed", "exception": error, _DIED: self._name}
            task.get_loop().call_exception_handler(context)

    def _reason(self, task: "asyncio.Task[None]") -> BaseException | None:
        if not task.cancelled():
            return task.exception()
        return None if self._is_cancelled else WorkCancelled(f"{self._name} was cancelled")


@contextmanager
def deaths() -> "Iterator[asyncio.Future[BaseException]]":
    """Provide a future that gets the error of the first supervised work that dies meanwhile."""
    loop = asyncio.get_running_loop()
    death: asyncio.Future[BaseException] = loop.create_future()
    former = loop.get_exception_handler()

    def handle(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        if _DIED in context and not death.done():
            death.set_result(context["exception"])
        elif former is not None:
            former(loop, context)
        else:
            loop.default_exception_handler(context)

    loop.set_exception_handler(handle)
    try:
        yield death
    finally:
        loop.set_exception_handler(former)


async def stop_all() -> None:
    """Stop all supervised work of this event loop that its owners have left running."""
    loop = asyncio.get_running_loop()
    left = [each for each in _tasks if each._task.get_loop() is loop and not each.is_done]  # noqa: SLF001 # its own module
    for each in left:
        await each.stop()


async def _awaited(work: Work) -> None:
    await work()


def _name_of(work: Any) -> str:
    while hasattr(work, "func"):  # a partial function
        work = work.func
    return str(getattr(work, "__qualname__", type(work).__name__))
