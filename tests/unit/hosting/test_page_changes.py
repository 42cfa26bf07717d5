"""The event stream that makes an open page refresh itself."""

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
    """Use hundredths of a second in place of seconds."""
    monkeypatch.setattr(changes, "MIN_PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(changes, "STILL_HERE_SECONDS", 0.05)


async def test_each_change_is_sent_until_the_feed_ends() -> None:
    """After the last change the stream ends."""
    feed = Feed()
    for what in ("change", "change", "end"):
        feed.waiting.put_nowait(what)
    events = [event async for event in feed.events()]
    assert events == [": following\n\n", EVENT, EVENT]


async def test_an_idle_stream_sends_keep_alives() -> None:
    """Neither side then takes the other for dead."""
    feed = Feed()
    events = feed.events()
    assert await anext(events) == ": following\n\n"
    assert await anext(events) == ": still here\n\n"
    feed.waiting.put_nowait("change")
    assert await anext(events) == EVENT


async def test_the_stream_ends_with_the_session() -> None:
    """After signing out nothing more is sent."""
    feed = Feed()
    events = feed.events()
    await anext(events)
    await anext(events)
    feed.is_current = False
    assert [event async for event in events] == []


async def test_a_change_after_signing_out_is_not_sent() -> None:
    """This holds even right after signing out."""
    feed = Feed()
    events = feed.events()
    await anext(events)
    feed.is_current = False
    feed.waiting.put_nowait("change")
    assert [event async for event in events] == []


@pytest.mark.parametrize("name", ["current", "next_change"])
async def test_the_stream_ends_if_the_database_is_unavailable(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """It ends normally and the browser reconnects; nothing is logged as a failure."""

    async def unavailable() -> None:
        raise DatabaseUnavailable("a failover")

    feed = Feed()
    feed.waiting.put_nowait("change")
    monkeypatch.setattr(feed, name, unavailable)
    assert [event async for event in feed.events()] == [": following\n\n"]
