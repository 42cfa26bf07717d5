"""The live feed of status changes: wakes those who read along the table."""

import asyncio
from collections.abc import AsyncIterator

from orderflow_contracts.orders import OrderStatusChanged
from orders.store import OrderStore

MOST_AT_ONCE = 500
KEEP_ALIVE_SECONDS = 15.0
LOOK_AGAIN_SECONDS = 1.0


class StatusFeed:
    """Follows the table of statuses from a position on.

    A change kept by this process wakes its readers at once. Where several replicas share a
    database, the table is looked at again every second as well, as long as anyone reads along.
    """

    def __init__(self, store: OrderStore, *, shared: bool) -> None:
        self._store = store
        self._shared = shared
        self._changed = asyncio.Event()
        self._closed = False

    def wake(self) -> None:
        """Tell the readers that there is something new."""
        self._changed.set()
        self._changed = asyncio.Event()

    def close(self) -> None:
        """End all readers."""
        self._closed = True
        self.wake()

    async def follow(
        self, after: int | None
    ) -> AsyncIterator[tuple[int, OrderStatusChanged] | None]:
        """Yield each change after a position (from now on when None), and None to keep alive."""
        position = after if after is not None else await self._store.last_position()
        silent = 0.0
        while not self._closed:
            changed = self._changed
            changes = await self._store.changes(position, MOST_AT_ONCE)
            for position, change in changes:
                yield position, change
            if changes:
                silent = 0.0
                continue
            patience = LOOK_AGAIN_SECONDS if self._shared else KEEP_ALIVE_SECONDS
            try:
                async with asyncio.timeout(patience):
                    await changed.wait()
            except TimeoutError:
                silent += patience
                if silent >= KEEP_ALIVE_SECONDS:
                    silent = 0.0
                    yield None
