"""Work in the background, tried again until nothing is in its way."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 15.0


class Background:
    """What is under way beside the calls that began it; a new process has to begin it anew."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()
        self._names: set[str] = set()

    def __len__(self) -> int:
        return len(self._tasks)

    def do(
        self,
        work: Callable[[], Awaitable[None]],
        gate: asyncio.Semaphore | None = None,
        *,
        name: str | None = None,
    ) -> None:
        """Do the work until it succeeds, with growing pauses; within the gate if one is given.

        Work with a name that is under way already is left to that.
        """
        if name is not None and name in self._names:
            return

        async def in_the_end() -> None:
            async with gate or asyncio.Semaphore():
                pause = FIRST_PAUSE_SECONDS
                while True:
                    try:
                        await work()
                    except Exception as error:  # noqa: BLE001 # whatever it is, it may pass
                        log.info("work_waits", why=str(error))
                        await asyncio.sleep(pause)
                        pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
                    else:
                        return

        task = asyncio.create_task(in_the_end())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        if name is not None:
            self._names.add(name)
            task.add_done_callback(lambda _: self._names.discard(name))

    def stop(self) -> None:
        """Leave what is not done yet."""
        for task in self._tasks:
            task.cancel()
