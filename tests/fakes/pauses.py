"""Very short pauses, for background work."""

import asyncio

LONGEST_SECONDS = 0.002


async def short_pause(seconds: float) -> None:
    """Pause for this long, but only for a moment at most."""
    await asyncio.sleep(min(seconds, LONGEST_SECONDS))
