"""A sidecar that came to a standstill when its worker was lost: noticed, and freed.

When the stream of the only worker breaks, Dapr 1.18 lets go of all workflow actors, and waits for
each until its turn is over. A turn whose work item nobody has received yet waits for a worker, and
the next worker is let in only after the actors are let go: none of the three goes on. What ends
such a turn is the end of the call that began it. The sidecar ends those that it made itself when
the application fails its health check, and all of them when it stops.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable

import httpx
import structlog

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

LOOK_SECONDS = 1.0
UNWELL_AFTER_SECONDS = 2.0
"""A sidecar hosts workflows within some milliseconds of its worker's coming."""
SHUT_DOWN_AFTER_SECONDS = 15.0
"""The health check has failed often enough by then: after 3 s the sidecar knows."""


class Standstill:
    """Watches the sidecar, and frees it.

    `is_still` tells whether the worker is connected and the sidecar hosts no workflows; `report`
    makes the sidecar's health check fail for a reason, or succeed again for None; `shut_down` ends
    the sidecar, which is started again by whoever keeps it alive.
    """

    def __init__(
        self,
        is_still: Callable[[], Awaitable[bool]],
        report: Callable[[str | None], None],
        shut_down: Callable[[], Awaitable[None]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._is_still = is_still
        self._report = report
        self._shut_down = shut_down
        self._clock = clock
        self._since: float | None = None
        self._is_unwell = False

    async def watch(self) -> None:
        """Look again and again, for as long as the process lives."""
        while True:
            await self.look()
            await asyncio.sleep(LOOK_SECONDS)

    async def look(self) -> None:
        """Look once, and do what is to be done now."""
        try:
            is_still = await self._is_still()
        except (httpx.HTTPError, ValueError):
            is_still = False  # it is away; it comes back without what held it up
        if not is_still:
            self._go_on()
            return
        if self._since is None:
            self._since = self._clock()
        seconds = self._clock() - self._since
        if seconds >= UNWELL_AFTER_SECONDS and not self._is_unwell:
            self._is_unwell = True
            log.warning("sidecar_stands_still", seconds=round(seconds, 1))
            self._report("the sidecar hosts no workflows although the worker is connected")
        if seconds >= SHUT_DOWN_AFTER_SECONDS:
            await self._start_again()

    def _go_on(self) -> None:
        self._since = None
        if self._is_unwell:
            self._is_unwell = False
            log.info("sidecar_goes_on")
            self._report(None)

    async def _start_again(self) -> None:
        log.error("sidecar_shut_down", why="it stands still, also for an unwell application")
        self._since = self._clock()
        try:
            await self._shut_down()
        except httpx.HTTPError as error:
            log.warning("sidecar_not_shut_down", why=str(error))
