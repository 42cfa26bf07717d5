"""Detects a sidecar that runs no workflows although a worker is connected, and recovers it.

Upstream: dapr/dapr#10408, with dapr/durabletask-go#129. dapr/dapr#10059 was another attempt.

Versions: Dapr 1.18.1, with any SDK; the fix is merged for 1.19, and no release is known to contain
it as of 2026-11.

Above: off. If Dapr described its actors otherwise, healthy sidecars would be shut down.

How it shows: the stream of the only worker breaks while a turn waits for a worker to receive it.
The sidecar stops all workflow actors and waits for their turns to end; that turn waits for a
worker, and the next worker is accepted only after the actors have stopped. No workflow of the
application makes progress any more. The sidecar's metadata lists no actors of the type `…workflow`.

Recovery: a turn also ends when the call that began it ends. The sidecar ends the calls that it made
itself when the application fails its health check, and all calls when it stops.

Delete when: the next worker is accepted at once, so that
`tests/system/upstream/test_stalled_sidecar.py` fails.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final

import httpx
import structlog

from orderflow_workflow_runtime.upstream.versions import Fault

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

FAULT: Final = Fault("1.18")
"""A fault of Dapr."""
CHECK_SECONDS: Final = 1.0
UNHEALTHY_AFTER_SECONDS: Final = 2.0
"""A sidecar runs workflows within milliseconds after its worker has connected."""
SHUT_DOWN_AFTER_SECONDS: Final = 15.0
"""By then, the failed health check, which the sidecar notices within 3 s, has not helped."""


class StalledSidecar:
    """Watches the sidecar, and recovers it when it has stalled.

    `is_stalled` returns whether the worker is connected and the sidecar runs no workflows; `report`
    makes the application's health check fail with a reason, or, with None, succeed again;
    `shut_down` ends the sidecar, whose supervisor restarts it.
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
        self._is_reported = False

    async def watch(self) -> None:
        """Check every second, until cancelled."""
        while True:
            await self.check()
            await asyncio.sleep(CHECK_SECONDS)

    async def check(self) -> None:
        """Check once, and report or restart a sidecar that has been stalled for too long."""
        try:
            is_stalled = await self._is_stalled()
        except (httpx.HTTPError, ValueError):
            is_stalled = False  # it is down, and will not be stalled when it is up again
        if not is_stalled:
            self._recover()
            return
        if self._since is None:
            self._since = self._clock()
        seconds = self._clock() - self._since
        if seconds >= UNHEALTHY_AFTER_SECONDS and not self._is_reported:
            self._is_reported = True
            log.warning("sidecar_stalled", seconds=round(seconds, 1))
            self._report("the sidecar runs no workflows although the worker is connected")
        if seconds >= SHUT_DOWN_AFTER_SECONDS:
            await self._restart()

    def _recover(self) -> None:
        self._since = None
        if self._is_reported:
            self._is_reported = False
            log.info("sidecar_recovered")
            self._report(None)

    async def _restart(self) -> None:
        log.error("sidecar_shut_down", why="it stays stalled although the health check fails")
        self._since = self._clock()
        try:
            await self._shut_down()
        except httpx.HTTPError as error:
            log.warning("sidecar_not_shut_down", why=str(error))
