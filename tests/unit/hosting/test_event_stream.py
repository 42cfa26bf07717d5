"""Server-sent events of a real service process: format, end, and many at once."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

import httpx
import pytest
from fastapi import FastAPI, Response

from fakes.ports import free_port
from fakes.waiting import DEADLINE_SECONDS, until
from orderflow_hosting.dapr_app import DaprApp
from orderflow_hosting.event_stream import (
    FOLLOWING,
    STILL_HERE,
    ServerSentEvent,
    event_stream,
    server_sent,
)
from orderflow_hosting.process import serve
from orderflow_hosting.settings import ServiceSettings

MANY = 50


class News:
    """Events from a test to all followers, until the service stops."""

    def __init__(self) -> None:
        self.followers: set[asyncio.Queue[ServerSentEvent | None]] = set()
        self.app = FastAPI()
        self.app.get("/stream")(self.stream)

    async def stream(self) -> Response:
        return event_stream(self._events())

    async def _events(self) -> AsyncIterator[ServerSentEvent]:
        queue: asyncio.Queue[ServerSentEvent | None] = asyncio.Queue()
        self.followers.add(queue)
        try:
            yield FOLLOWING
            while (event := await queue.get()) is not None:
                yield event
        finally:
            self.followers.discard(queue)

    def has(self, followers: int) -> bool:
        return len(self.followers) == followers

    def send(self, event: ServerSentEvent | None) -> None:
        for follower in self.followers:
            follower.put_nowait(event)

    def close(self) -> None:
        self.send(None)


@pytest.fixture
def settings() -> ServiceSettings:
    return ServiceSettings.model_validate(
        {
            "APP_API_TOKEN": "a token of sixteen or more",
            **{name: free_port() for name in ("http_port", "grpc_port")},
            **{name: free_port() for name in ("DAPR_HTTP_PORT", "DAPR_GRPC_PORT")},
        }
    )


@asynccontextmanager
async def serving(settings: ServiceSettings, news: News) -> AsyncIterator[httpx.AsyncClient]:
    """Serve until the test stops the process, or it ends."""
    process = asyncio.create_task(serve(settings, news.app, DaprApp(settings), news.close))
    limits = httpx.Limits(max_connections=2 * MANY)
    base_url = f"http://127.0.0.1:{settings.http_port}"
    try:
        async with httpx.AsyncClient(base_url=base_url, limits=limits, timeout=20) as client:
            yield client
    finally:
        if not process.done():
            os.kill(os.getpid(), signal.SIGTERM)
        async with asyncio.timeout(20):
            await process


async def text_of(response: httpx.Response) -> str:
    return (await response.aread()).decode()


async def test_events_have_the_format_of_server_sent_events(
    settings: ServiceSettings,
) -> None:
    """Each field has its own line, comments keep the connection alive, and nothing is cached."""
    news = News()
    async with serving(settings, news) as client, client.stream("GET", "/stream") as response:
        await until(partial(news.has, 1))
        news.send(server_sent("orders.status", '{"status":"paid"}', "7"))
        news.send(STILL_HERE)
        news.send(server_sent("changed", ""))
        news.close()

        assert await text_of(response) == (
            ": following\n\n"
            'id: 7\nevent: orders.status\ndata: {"status":"paid"}\n\n'
            ": still here\n\n"
            "event: changed\ndata: \n\n"
        )
    assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert response.headers["cache-control"] == "no-store"
    assert response.headers["x-accel-buffering"] == "no"


async def test_a_stop_ends_many_streams_at_once(settings: ServiceSettings) -> None:
    """All streams end properly: a cut-off one would raise an error when read."""
    news = News()
    async with serving(settings, news) as client, AsyncExitStack() as streams:
        responses = await asyncio.gather(
            *(streams.enter_async_context(client.stream("GET", "/stream")) for _ in range(MANY))
        )
        await until(partial(news.has, MANY))
        news.send(server_sent("changed", "o-1"))

        os.kill(os.getpid(), signal.SIGTERM)
        texts = await asyncio.gather(*map(text_of, responses))

        assert set(texts) == {": following\n\nevent: changed\ndata: o-1\n\n"}
    assert not news.followers


async def test_a_second_server_in_the_process_streams_again(settings: ServiceSettings) -> None:
    """The library's memory of the first server's stop does not affect the second."""
    for _ in range(2):
        news = News()
        async with serving(settings, news) as client, client.stream("GET", "/stream") as response:
            await until(partial(news.has, 1))
            news.send(server_sent("changed", "o-1"))
            lines = response.aiter_lines()
            async with asyncio.timeout(DEADLINE_SECONDS):
                read = [await anext(lines) for _ in range(4)]
            os.kill(os.getpid(), signal.SIGTERM)

        assert read == [": following", "", "event: changed", "data: o-1"]


async def test_a_disconnect_ends_the_events(settings: ServiceSettings) -> None:
    """Nothing keeps running for a page that was closed."""
    news = News()
    async with serving(settings, news) as client:
        async with client.stream("GET", "/stream"):
            await until(partial(news.has, 1))

        await until(partial(news.has, 0))
