"""Pauses that take next to no time, for work in the background."""

import asyncio

LONGEST_SECONDS = 0.002


async def short_pause(seconds: float) -> None:
    """Pause as told, but for no more than a moment."""
    await asyncio.sleep(min(seconds, LONGEST_SECONDS))
