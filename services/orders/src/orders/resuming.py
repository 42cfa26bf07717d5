"""Resumes unfinished work: all of it at the start, later that of other replicas."""

import asyncio
from itertools import chain, repeat
from typing import Final

from orderflow_hosting.background import Backoff, Sleep, retry_until_success
from orders.attention.service import Attention
from orders.batches.service import Batches
from orders.ordering.service import Intake

PAUSE_SECONDS: Final = 60.0
BACKOFF: Final = Backoff(first=1.0, longest=15.0)


async def keep_resuming(
    intake: Intake, batches: Batches, attention: Attention, sleep: Sleep = asyncio.sleep
) -> None:
    """Resume all unfinished work once, then repeatedly what other replicas left unfinished.

    A replica that does not come back leaves its work to the others.
    """
    for resume_orders in chain([intake.resume], repeat(intake.resume_left)):
        for resume in (resume_orders, batches.resume, attention.resume):
            await retry_until_success(resume, "resume_delayed", backoff=BACKOFF, sleep=sleep)
        await sleep(PAUSE_SECONDS)
