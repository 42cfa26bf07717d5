"""Telling an open page that something has changed, so that it fetches what it shows anew."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final

from starlette.responses import StreamingResponse

LEAST_PAUSE_SECONDS: Final = 1.0
STILL_HERE_SECONDS: Final = 10.0

CHANGED: Final = "event: changed\ndata: \n\n"


def change_events(
    next_change: Callable[[], Awaitable[object]], is_current: Callable[[], Awaitable[bool]]
) -> StreamingResponse:
    """Answer with server-sent events: `changed`, at most one a second, for as long as one may see.

    `next_change` waits for the next change; it raises `StopAsyncIteration` when there will be
    none any more. It is not cancelled in between, so no change is missed. `is_current` tells
    whether the session that asked still is one.
    """
    return StreamingResponse(
        _told(next_change, is_current),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


async def _told(
    next_change: Callable[[], Awaitable[object]], is_current: Callable[[], Awaitable[bool]]
) -> AsyncIterator[str]:
    yield ": following\n\n"
    waiting = asyncio.ensure_future(_wait(next_change))
    try:
        while await is_current():
            await asyncio.wait({waiting}, timeout=STILL_HERE_SECONDS)
            if not waiting.done():
                yield ": still here\n\n"
                continue
            if not waiting.result():
                return
            waiting = asyncio.ensure_future(_wait(next_change))
            yield CHANGED
            await asyncio.sleep(LEAST_PAUSE_SECONDS)
    finally:
        waiting.cancel()


async def _wait(next_change: Callable[[], Awaitable[object]]) -> bool:
    """Wait for a change; False when there will be none any more."""
    try:
        await next_change()
    except StopAsyncIteration:
        return False
    return True
