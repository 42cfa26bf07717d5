"""Notifies open pages of changes, so that they refresh what they show.

A browser follows one stream of a site for all of its tabs (`static/streams.js`), so each event
names what it is about, and a page ignores the events that do not concern it.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Final

import structlog
from fastapi import Request

from orderflow_hosting.event_stream import (
    FOLLOWING,
    STILL_HERE,
    EventStream,
    ServerSentEvent,
    event_stream,
    server_sent,
)
from orderflow_hosting.problems import Problem, Unavailable

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

MIN_PAUSE_SECONDS: Final = 1.0
STILL_HERE_SECONDS: Final = 10.0


@dataclass(frozen=True)
class Change:
    """Something has changed.

    `version` identifies the state after the change, if the service numbers its states. `subjects`
    are the ids of what changed; if there are none, anything may have.
    """

    version: str = ""
    subjects: frozenset[str] = frozenset()

    def event(self) -> ServerSentEvent:
        """Make the server-sent event of this change."""
        return server_sent("changed", " ".join(sorted(self.subjects)), self.version or None)


def session_key(csrf: str) -> str:
    """Return an id of a session for URLs, because only the tabs of one session share a stream."""
    return hashlib.sha256(csrf.encode()).hexdigest()[:16]


def change_events(
    request: Request,
    next_change: Callable[[], Awaitable[Change]],
    is_current: Callable[[], Awaitable[bool]],
) -> EventStream:
    """Return server-sent events: `changed`, at most one a second, while the session lasts.

    `next_change` waits for the next change; it raises `StopAsyncIteration` when there are no more.
    It is not cancelled in between, so no change is missed. `is_current` returns whether the session
    of the request is still valid. The stream ends if either is unavailable; the browser reconnects.
    Raises `SESSION_CHANGED` if the URL names another session.
    """
    key = request.query_params.get("session")
    if key is not None and key != session_key(request.state.csrf):
        raise Problem(403, "SESSION_CHANGED", "this page is from another session: load it again")
    return event_stream(_events(next_change, is_current))


async def _events(
    next_change: Callable[[], Awaitable[Change]], is_current: Callable[[], Awaitable[bool]]
) -> AsyncIterator[ServerSentEvent]:
    yield FOLLOWING
    pause = 0.0  # the first event is the current state: the next one may follow at once
    waiting = asyncio.ensure_future(_wait(next_change))
    try:
        while True:
            await asyncio.wait({waiting}, timeout=STILL_HERE_SECONDS)
            if not await is_current():
                return
            if not waiting.done():
                yield STILL_HERE
                continue
            change = waiting.result()
            if change is None:
                return
            waiting = asyncio.ensure_future(_wait(next_change))
            yield change.event()
            await asyncio.sleep(pause)
            pause = MIN_PAUSE_SECONDS
    except Unavailable as error:
        log.warning("changes_unavailable", why=str(error))
    finally:
        waiting.cancel()


async def _wait(next_change: Callable[[], Awaitable[Change]]) -> Change | None:
    """Wait for a change; None when there are no more."""
    try:
        return await next_change()
    except StopAsyncIteration:
        return None
