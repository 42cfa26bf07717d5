"""Resumes what an earlier process left unfinished; later, the doctor finds what is lost."""

import asyncio
from itertools import repeat
from typing import Final

from orderflow_hosting.background import Backoff, Sleep, keep_repeating, retry_until_success
from orders.attention.service import Attention
from orders.batches.service import Batches
from orders.ordering.service import Intake

PAUSE_SECONDS: Final = 60.0
BACKOFF: Final = Backoff(first=1.0, longest=15.0)


async def keep_resuming(
    intake: Intake, batches: Batches, attention: Attention, sleep: Sleep = asyncio.sleep
) -> None:
    """Resume all unfinished work once, then hand over recent cancellations again and again.

    A replica that does not come back may not have handed them over.
    """
    for resume in (intake.resume, batches.resume, attention.resume):
        await retry_until_success(resume, "resume_delayed", backoff=BACKOFF, sleep=sleep)
    await sleep(PAUSE_SECONDS)
    pauses = repeat(PAUSE_SECONDS)
    await keep_repeating(
        intake.resume_cancels, "resume_delayed", pauses=pauses, backoff=BACKOFF, sleep=sleep
    )
