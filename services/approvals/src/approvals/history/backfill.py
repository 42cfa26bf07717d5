"""Completes rows written by an earlier version of this service, in the background."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from itertools import repeat
from typing import Final

import structlog

from orderflow_hosting.background import BackgroundWork, Sleep

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

BATCH_ROWS: Final = 200
BATCH_PAUSE_SECONDS: Final = 0.05
"""Between two batches, so that new decisions are not delayed."""
POLL_SECONDS: Final = 60.0
"""During a rollout, replicas of the earlier version still write rows."""

Complete = Callable[[int], Awaitable[int]]
"""Completes at most this many rows; returns how many it has completed."""


def repeat_backfill(complete: Complete, background: BackgroundWork) -> None:
    """Complete all rows, and look for new ones as long as the process runs."""
    work = partial(backfill, complete)
    background.repeat(work, "approvals_backfill_failed", pauses=repeat(POLL_SECONDS))


async def backfill(complete: Complete, sleep: Sleep = asyncio.sleep) -> None:
    """Complete rows in small batches until none is left."""
    while completed := await complete(BATCH_ROWS):
        log.info("approvals_backfilled", approvals=completed)
        await sleep(BATCH_PAUSE_SECONDS)
