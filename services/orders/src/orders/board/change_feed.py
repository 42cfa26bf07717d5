"""Notifies open pages of changes, with one follower of the feed for all of them."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Final

import structlog

from orderflow_hosting.problems import Unavailable
from orderflow_hosting.supervision import Supervised
from orderflow_hosting.web import Change
from orders.ordering.feed import StatusFeed

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

IDLE_SECONDS: Final = 60.0
"""How long after the last request of a page the feed is still followed."""
MAX_NAMED: Final = 100
"""An event names at most this many orders; beyond that it may concern any order."""


class ChangeFeed:
    """Counts the changes of orders while at least one page is open."""

    def __init__(self, feed: StatusFeed) -> None:
        self._feed = feed
        self._changes = 0
        self._latest: deque[str] = deque(maxlen=MAX_NAMED)
        self._next = asyncio.Event()
        self._waiting = 0
        self._requested_at = 0.0
        self._follower: Supervised | None = None

    def listener(self) -> Callable[[], Awaitable[Change]]:
        """Return a function that waits for the next change; its first call returns at once.

        So a page does not miss a change between its rendering and its first call. Waiting raises
        `StopAsyncIteration` when the service stops.
        """
        seen = self._changes - 1 - MAX_NAMED

        async def next_change() -> Change:
            nonlocal seen
            former, seen = seen, await self._wait_beyond(seen)
            return Change(subjects=self._orders(seen - former))

        return next_change

    def _orders(self, changes: int) -> frozenset[str]:
        """Return the ids of the orders in the latest changes; none if there are too many."""
        if changes > len(self._latest):
            return frozenset()
        return frozenset(list(self._latest)[-changes:])

    async def _wait_beyond(self, seen: int) -> int:
        self._requested_at = asyncio.get_running_loop().time()
        self._waiting += 1
        try:
            if self._follower is None:
                self._follower = Supervised(self._count)
            while self._changes <= seen:
                if self._follower is None:
                    raise StopAsyncIteration
                await self._next.wait()
        finally:
            self._waiting -= 1
        return self._changes

    async def _count(self) -> None:
        """Count until the service stops or no page is open; pages reconnect after a failure."""
        try:
            async for stored in self._feed.follow(None):
                if stored is not None:
                    self._changes += 1
                    self._latest.append(stored.change.order_id)
                    self._wake()
                elif self._is_idle():
                    return
        except Unavailable as error:
            log.warning("changes_unavailable", why=str(error))
        finally:
            self._follower = None
            self._wake()

    def _wake(self) -> None:
        awaited, self._next = self._next, asyncio.Event()
        awaited.set()

    def _is_idle(self) -> bool:
        age = asyncio.get_running_loop().time() - self._requested_at
        return not self._waiting and age > IDLE_SECONDS
