"""Tells those who look at approvals that there is something new to see.

A change of the table is news, from whichever replica it comes, and so is a deadline that passes.
One task looks for all who follow, and only while somebody does.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable
from datetime import datetime
from typing import Final, Protocol

from approvals.store import Version
from orderflow_contracts.fields import now
from orderflow_hosting.background import Backoff, retry_until_success

LOOK_AGAIN_SECONDS: Final = 0.5


class Approvals(Protocol):
    """What is followed."""

    async def version(self, now: datetime) -> Version:
        """Tell which approvals there are. Raises `Unavailable`."""
        ...


class ChangeFeed:
    """Follows the approvals from a version on."""

    def __init__(self, approvals: Approvals, clock: Callable[[], datetime] = now) -> None:
        self._approvals = approvals
        self._clock = clock
        self._followers: set[asyncio.Event] = set()
        self._looking: asyncio.Task[None] | None = None
        self._woken = asyncio.Event()
        self._known: Version | None = None
        self._closed = False

    def close(self) -> None:
        """End all followers."""
        self._closed = True
        if self._looking is not None:
            self._looking.cancel()
        self._tell()

    async def follow(self, seen: str | None) -> AsyncGenerator[Version, None]:
        """Yield each version that was not seen; of several at once only the last."""
        news = asyncio.Event()
        self._followers.add(news)
        self._look()
        self._woken.set()  # what is known may be older than what was seen
        try:
            while not self._closed:
                known = self._known
                if known is not None and str(known) != seen:
                    seen = str(known)
                    yield known
                else:
                    await news.wait()
                news.clear()
        finally:
            self._followers.discard(news)
            if not self._followers and self._looking is not None:
                self._looking.cancel()
                self._looking, self._known = None, None

    def _look(self) -> None:
        if self._looking is None and not self._closed:
            self._looking = asyncio.create_task(self._look_on())

    async def _look_on(self) -> None:
        """Look again and again; for a while the database may be away."""
        backoff = Backoff(first=LOOK_AGAIN_SECONDS, longest=LOOK_AGAIN_SECONDS)
        while True:
            self._woken.clear()
            await retry_until_success(self._look_once, "changes_unknown", backoff=backoff)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._patience()):
                    await self._woken.wait()

    async def _look_once(self) -> None:
        version = await self._approvals.version(self._clock())
        if version != self._known:
            self._known = version
            self._tell()

    def _patience(self) -> float:
        """How long to wait: until the next deadline passes, if that is soon."""
        deadline = self._known.deadline if self._known is not None else None
        if deadline is None:
            return LOOK_AGAIN_SECONDS
        left = (deadline - self._clock()).total_seconds()
        return min(max(left, 0.01), LOOK_AGAIN_SECONDS)

    def _tell(self) -> None:
        for follower in self._followers:
            follower.set()
