"""Completes rows written by an earlier version of this service, in the background."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import structlog

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

BATCH_ROWS: Final = 200
PAUSE_SECONDS: Final = 0.05
POLL_SECONDS: Final = 60.0
"""During a rollout, replicas of the earlier version still write rows."""


class Backfill:
    """Completes rows in small batches, so that new decisions are not delayed."""

    def __init__(self, complete: Callable[[int], Awaitable[int]]) -> None:
        self._complete = complete
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Start; if the database is unavailable, retry."""
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Stop; the next start continues."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            pause = POLL_SECONDS
            try:
                completed = await self._complete(BATCH_ROWS)
            except Exception as error:  # noqa: BLE001 # any failure may be temporary
                log.warning("approvals_backfill_failed", error=str(error))
            else:
                if completed:
                    log.info("approvals_backfilled", approvals=completed)
                    pause = PAUSE_SECONDS
            await asyncio.sleep(pause)
