"""The stream that tells an open page to look again."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from sse_starlette.event import ensure_bytes
from starlette.requests import Request

from orderflow_hosting.database import DatabaseUnavailable
from orderflow_hosting.web import Change, change_events, changes

CHANGE = Change(version="7", subjects=frozenset({"o-2", "o-1"}))
EVENT = "id: 7\nevent: changed\ndata: o-1 o-2\n\n"


class Feed:
    """Changes that a test makes."""

    def __init__(self) -> None:
        self.waiting: asyncio.Queue[str] = asyncio.Queue()
        self.is_current = True

    async def next_change(self) -> Change:
        if await self.waiting.get() == "end":
            raise StopAsyncIteration
        return CHANGE

    async def current(self) -> bool:
        return self.is_current

    async def events(self) -> AsyncIterator[str]:
        request = Request({"type": "http", "query_string": b"", "headers": []})
        answer = change_events(request, self.next_change, self.current)
        async for event in answer.body_iterator:
            yield ensure_bytes(event, answer.sep).decode()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait hundredths of a second instead of seconds."""
    monkeypatch.setattr(changes, "MIN_PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(changes, "STILL_HERE_SECONDS", 0.05)


async def test_each_change_is_told_and_the_end_ends_the_stream() -> None:
    """After the last there is nothing more."""
    feed = Feed()
    for what in ("change", "change", "end"):
        feed.waiting.put_nowait(what)
    told = [event async for event in feed.events()]
    assert told == [": following\n\n", EVENT, EVENT]


async def test_a_quiet_stream_says_that_it_is_still_there() -> None:
    """So that neither side takes the other for dead."""
    feed = Feed()
    events = feed.events()
    assert await anext(events) == ": following\n\n"
    assert await anext(events) == ": still here\n\n"
    feed.waiting.put_nowait("change")
    assert await anext(events) == EVENT


async def test_the_stream_ends_with_the_session() -> None:
    """Who is signed out learns nothing more."""
    feed = Feed()
    events = feed.events()
    await anext(events)
    await anext(events)
    feed.is_current = False
    assert [event async for event in events] == []


async def test_a_change_after_the_session_is_not_told() -> None:
    """A change that comes when somebody has just signed out stays unsaid."""
    feed = Feed()
    events = feed.events()
    await anext(events)
    feed.is_current = False
    feed.waiting.put_nowait("change")
    assert [event async for event in events] == []


@pytest.mark.parametrize("name", ["current", "next_change"])
async def test_the_stream_ends_while_the_database_is_away(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """It ends like any other, and the browser asks again: nothing has failed in the service."""

    async def unavailable() -> None:
        raise DatabaseUnavailable("a failover")

    feed = Feed()
    feed.waiting.put_nowait("change")
    monkeypatch.setattr(feed, name, unavailable)
    assert [event async for event in feed.events()] == [": following\n\n"]
