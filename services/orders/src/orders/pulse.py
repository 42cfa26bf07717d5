"""Tells open pages that something has changed, with one follower of the feed for all of them."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from orders.feed import StatusFeed

IDLE_SECONDS: Final = 60.0
"""So long after the last page has asked, the feed is followed no more."""


class Pulse:
    """Counts the changes of orders, for as long as some page wants to know of them."""

    def __init__(self, feed: StatusFeed) -> None:
        self._feed = feed
        self._beats = 0
        self._next = asyncio.Event()
        self._waiting = 0
        self._wanted_at = 0.0
        self._follower: asyncio.Task[None] | None = None

    def listener(self) -> Callable[[], Awaitable[None]]:
        """Return what waits for the next change since it returned last; the first is at once.

        So a page learns of what changed between its making and its listening. Waiting raises
        `StopAsyncIteration` when the service stops.
        """
        seen = self._beats - 1

        async def next_change() -> None:
            nonlocal seen
            seen = await self._beyond(seen)

        return next_change

    def listener_of(self, order_id: str) -> Callable[[], Awaitable[None]]:
        """Return what waits for the next change of one order; the first is at once."""
        changes = self._feed.follow(None)
        is_first = True

        async def next_change() -> None:
            nonlocal is_first
            if is_first:
                is_first = False
                return
            async for kept in changes:
                if kept is not None and kept.change.order_id == order_id:
                    return
            raise StopAsyncIteration

        return next_change

    async def _beyond(self, seen: int) -> int:
        self._wanted_at = asyncio.get_running_loop().time()
        self._waiting += 1
        try:
            if self._follower is None:
                self._follower = asyncio.create_task(self._count())
            while self._beats <= seen:
                if self._follower is None:
                    raise StopAsyncIteration
                await self._next.wait()
        finally:
            self._waiting -= 1
        return self._beats

    async def _count(self) -> None:
        try:
            async for kept in self._feed.follow(None):
                if kept is not None:
                    self._beats += 1
                    self._wake()
                elif self._is_idle():
                    return
        finally:
            self._follower = None
            self._wake()

    def _wake(self) -> None:
        awaited, self._next = self._next, asyncio.Event()
        awaited.set()

    def _is_idle(self) -> bool:
        age = asyncio.get_running_loop().time() - self._wanted_at
        return not self._waiting and age > IDLE_SECONDS
