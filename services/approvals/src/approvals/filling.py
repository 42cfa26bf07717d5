"""Completes, in the background, the rows that an earlier version of this service has written."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import structlog

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

AT_ONCE: Final = 200
BREATH_SECONDS: Final = 0.05
LOOK_AGAIN_SECONDS: Final = 60.0
"""While a new version is rolled out, replicas of the earlier one go on writing."""


class Filling:
    """Completes rows, some at once, so that the decisions of the day are not held up."""

    def __init__(self, complete: Callable[[int], Awaitable[int]]) -> None:
        self._complete = complete
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin; a database that is away delays only."""
        self._task = asyncio.create_task(self._fill())

    async def stop(self) -> None:
        """Leave the rest to the next start."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _fill(self) -> None:
        while True:
            pause = LOOK_AGAIN_SECONDS
            try:
                completed = await self._complete(AT_ONCE)
            except Exception as error:  # noqa: BLE001 # whatever it is, it may pass
                log.warning("approvals_not_completed", why=str(error))
            else:
                if completed:
                    log.info("approvals_completed", approvals=completed)
                    pause = BREATH_SECONDS
            await asyncio.sleep(pause)
