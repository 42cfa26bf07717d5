"""The live feed of status changes of all orders."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable

from orders.ordering.feed_start import Start, choose_start
from orders.ordering.records import StoredChange
from orders.ordering.store import OrderStore

MAX_AT_ONCE = 500
KEEP_ALIVE_SECONDS = 15.0
LOOK_AGAIN_SECONDS = 1.0


class StatusFeed:
    """Follows the table of statuses from a position on.

    A change that this process records reaches its followers at once, without a query. A follower
    reads the table after a gap in the positions and, if several replicas share the database, after
    a pause, so that it misses no change.
    """

    def __init__(self, store: OrderStore, *, shared: bool) -> None:
        self._store = store
        self._patience = LOOK_AGAIN_SECONDS if shared else KEEP_ALIVE_SECONDS
        self._followers: set[asyncio.Queue[StoredChange | None]] = set()
        self._closed = False

    def publish(self, stored: StoredChange) -> None:
        """Send a change to all followers."""
        for follower in self._followers:
            with contextlib.suppress(asyncio.QueueFull):  # it will notice the gap
                follower.put_nowait(stored)

    def close(self) -> None:
        """End all followers."""
        self._closed = True
        for follower in self._followers:
            with contextlib.suppress(asyncio.QueueFull):
                follower.put_nowait(None)

    async def start(self, sent: Iterable[str]) -> Start:
        """Return where to start for a client that sent these positions, the best one first."""
        return choose_start(sent, await self._store.stored_positions())

    async def follow(self, after: int | None) -> AsyncIterator[StoredChange | None]:
        """Yield each change after a position (if None, from now on), and None as a keep-alive."""
        live: asyncio.Queue[StoredChange | None] = asyncio.Queue(MAX_AT_ONCE)
        self._followers.add(live)
        try:
            position = after if after is not None else await self._store.last_position()
            async for stored in self._catch_up(position):
                position = stored.position
                yield stored
            silent = 0.0
            while not self._closed:
                news = await self._next(live)
                if news is not None and news.position == position + 1:
                    position = news.position
                    yield news
                elif news is None or news.position > position:
                    async for stored in self._catch_up(position):
                        position = stored.position
                        yield stored
                silent = 0.0 if news is not None else silent + self._patience
                if silent >= KEEP_ALIVE_SECONDS:
                    silent = 0.0
                    yield None
        finally:
            self._followers.discard(live)

    async def _next(self, live: "asyncio.Queue[StoredChange | None]") -> StoredChange | None:
        try:
            async with asyncio.timeout(self._patience):
                return await live.get()
        except TimeoutError:
            return None

    async def _catch_up(self, position: int) -> AsyncIterator[StoredChange]:
        while changes := await self._store.changes(position, MAX_AT_ONCE):
            for stored in changes:
                yield stored
            position = changes[-1].position
