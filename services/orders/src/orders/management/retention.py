"""Frees the ids of workflow instances that the engine has purged by itself."""

import asyncio
from itertools import repeat
from typing import Final

from orderflow_hosting.background import Backoff, Sleep, keep_repeating
from orders.management.service import Management

PAUSE_SECONDS: Final = 3600.0
BACKOFF: Final = Backoff(first=1.0, longest=60.0)


async def keep_freeing_ids(management: Management, sleep: Sleep = asyncio.sleep) -> None:
    """Free the ids of instances that are gone: at the start, and then once an hour."""
    pauses = repeat(PAUSE_SECONDS)
    await keep_repeating(
        management.free_ids, "id_freeing_delayed", pauses=pauses, backoff=BACKOFF, sleep=sleep
    )
