"""Completes, in the background, the rows that an earlier version of this service has written."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from itertools import repeat
from typing import Final

import structlog

from orderflow_hosting.background import BackgroundWork, Sleep

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

ROWS_AT_ONCE: Final = 200
BREAK_SECONDS: Final = 0.05
"""Between two writes, so that they do not hold up decisions."""
PAUSE_SECONDS: Final = 60.0
"""While a new version is rolled out, replicas of the earlier one go on writing."""

Complete = Callable[[int], Awaitable[int]]


def keep_completing(complete: Complete, background: BackgroundWork) -> None:
    """Complete all rows again and again, as long as the process lives."""
    work = partial(complete_all, complete)
    background.repeat(work, "approvals_not_completed", pauses=repeat(PAUSE_SECONDS))


async def complete_all(complete: Complete, sleep: Sleep = asyncio.sleep) -> None:
    """Complete rows until none is left."""
    while completed := await complete(ROWS_AT_ONCE):
        log.info("approvals_completed", approvals=completed)
        await sleep(BREAK_SECONDS)
