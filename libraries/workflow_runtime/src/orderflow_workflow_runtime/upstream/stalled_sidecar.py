"""Notices that a sidecar runs no workflows although a worker is connected, and frees it.

Upstream: dapr/dapr#10408, with dapr/durabletask-go#129. dapr/dapr#10059 was another attempt.

Versions: Dapr 1.18.1, with any SDK; the fix is merged for 1.19, and no release is known to contain
it as of 2026-11.

How it shows: the stream of the only worker breaks while a turn waits for a worker to receive it.
The sidecar stops all workflow actors and waits for their turns to end, that turn waits for a
worker, and the next worker is let in only after the actors have stopped. No workflow of the
application moves again. The metadata of the sidecar lists no actors of the type `…workflow`.

What frees it: a turn also ends when the call that began it ends. The sidecar ends the calls that it
made itself when the application fails its health check, and all calls when it stops.

Delete when: the next worker is let in at once, so that
`tests/system/upstream/test_stalled_sidecar.py` fails.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final

import httpx
import structlog

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

CHECK_SECONDS: Final = 1.0
UNWELL_AFTER_SECONDS: Final = 2.0
"""A sidecar runs workflows within some milliseconds after its worker has connected."""
SHUT_DOWN_AFTER_SECONDS: Final = 15.0
"""By then the health check has failed often enough for the sidecar to notice, which takes 3 s."""


class StalledSidecar:
    """Watches the sidecar, and frees it when it has stalled.

    `is_stalled` returns whether the worker is connected and the sidecar runs no workflows; `report`
    makes the application's health check fail for a reason, or succeed again for None; `shut_down`
    ends the sidecar, which is restarted by whatever supervises it.
    """

    def __init__(
        self,
        is_stalled: Callable[[], Awaitable[bool]],
        report: Callable[[str | None], None],
        shut_down: Callable[[], Awaitable[None]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._is_stalled = is_stalled
        self._report = report
        self._shut_down = shut_down
        self._clock = clock
        self._since: float | None = None
        self._is_unwell = False

    async def watch(self) -> None:
        """Check every second, until cancelled."""
        while True:
            await self.check()
            await asyncio.sleep(CHECK_SECONDS)

    async def check(self) -> None:
        """Check once, and do what is due."""
        try:
            is_stalled = await self._is_stalled()
        except (httpx.HTTPError, ValueError):
            is_stalled = False  # it does not answer; once it has restarted, it has not stalled
        if not is_stalled:
            self._recover()
            return
        if self._since is None:
            self._since = self._clock()
        seconds = self._clock() - self._since
        if seconds >= UNWELL_AFTER_SECONDS and not self._is_unwell:
            self._is_unwell = True
            log.warning("sidecar_stalled", seconds=round(seconds, 1))
            self._report("the sidecar runs no workflows although the worker is connected")
        if seconds >= SHUT_DOWN_AFTER_SECONDS:
            await self._restart()

    def _recover(self) -> None:
        self._since = None
        if self._is_unwell:
            self._is_unwell = False
            log.info("sidecar_recovered")
            self._report(None)

    async def _restart(self) -> None:
        log.error("sidecar_shut_down", why="it stays stalled although the application is unwell")
        self._since = self._clock()
        try:
            await self._shut_down()
        except httpx.HTTPError as error:
            log.warning("sidecar_not_shut_down", why=str(error))
