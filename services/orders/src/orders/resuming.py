"""Taking up what a process has left: one's own at the start, other replicas' from time to time."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from orders.attention.service import Attention
from orders.batches.service import Batches
from orders.ordering.service import Intake

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

LOOK_AGAIN_SECONDS = 60.0
FIRST_PAUSE_SECONDS = 1.0


async def keep_resuming(intake: Intake, batches: Batches, attention: Attention) -> None:
    """Take up everything once, and then, for as long as the process lives, what others leave.

    A replica that goes for good leaves work to those that started before it.
    """
    await _in_the_end(intake.resume)
    await _in_the_end(batches.resume)
    await _in_the_end(attention.resume)
    while True:
        await asyncio.sleep(LOOK_AGAIN_SECONDS)
        await _in_the_end(intake.resume_left)
        await _in_the_end(batches.resume)
        await _in_the_end(attention.resume)


async def _in_the_end(resume: Callable[[], Awaitable[None]]) -> None:
    while True:
        try:
            await resume()
        except Exception as error:  # noqa: BLE001 # whatever it is, it may pass
            log.warning("resume_waits", why=str(error))
            await asyncio.sleep(FIRST_PAUSE_SECONDS)
        else:
            return
