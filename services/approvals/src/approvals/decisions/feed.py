"""Notifies open pages when approvals change.

A change of the table, by any replica, gives a new version, and so does a deadline that passes. One
task polls for all followers, and only while there are any.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from typing import Final

from approvals.decisions.ports import Version, VersionedApprovals
from orderflow_contracts.fields import Clock, now
from orderflow_hosting.background import Backoff, retry_until_success
from orderflow_hosting.supervision import Supervised

POLL_SECONDS: Final = 0.5


class ChangeFeed:
    """Follows the versions of approvals."""

    def __init__(self, approvals: VersionedApprovals, clock: Clock = now) -> None:
        self._approvals = approvals
        self._clock = clock
        self._followers: set[asyncio.Event] = set()
        self._polling: Supervised | None = None
        self._wake_up = asyncio.Event()
        self._latest: Version | None = None
        self._closed = False

    def close(self) -> None:
        """End all followers."""
        self._closed = True
        if self._polling is not None:
            self._polling.cancel()
        self._notify()

    async def follow(self, seen: str | None) -> AsyncGenerator[Version, None]:
        """Yield each version that differs from the one seen; intermediate ones may be skipped."""
        changed = asyncio.Event()
        self._followers.add(changed)
        self._start_polling()
        self._wake_up.set()  # the latest version known here may be older than the one seen
        try:
            while not self._closed:
                latest = self._latest
                if latest is not None and str(latest) != seen:
                    seen = str(latest)
                    yield latest
                else:
                    await changed.wait()
                changed.clear()
        finally:
            self._followers.discard(changed)
            if not self._followers and self._polling is not None:
                self._polling.cancel()
                self._polling, self._latest = None, None

    def _start_polling(self) -> None:
        if self._polling is None and not self._closed:
            self._polling = Supervised(self._poll)

    async def _poll(self) -> None:
        """Poll for ever; the database may be unavailable for a while."""
        backoff = Backoff(first=POLL_SECONDS, longest=POLL_SECONDS)
        while True:
            self._wake_up.clear()
            await retry_until_success(
                self._poll_once, "approvals_version_not_read", backoff=backoff
            )
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._poll_seconds()):
                    await self._wake_up.wait()

    async def _poll_once(self) -> None:
        version = await self._approvals.version(self._clock())
        if version != self._latest:
            self._latest = version
            self._notify()

    def _poll_seconds(self) -> float:
        """Return the time until the next poll: when the next deadline passes, if that is soon."""
        deadline = self._latest.deadline if self._latest is not None else None
        if deadline is None:
            return POLL_SECONDS
        left = (deadline - self._clock()).total_seconds()
        return min(max(left, 0.01), POLL_SECONDS)

    def _notify(self) -> None:
        for follower in self._followers:
            follower.set()
