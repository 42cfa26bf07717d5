"""Server-sent events: an HTTP response that lasts until its events end."""

from collections.abc import AsyncIterator
from typing import Final

from sse_starlette import EventSourceResponse, ServerSentEvent

__all__ = [
    "FOLLOWING",
    "STILL_HERE",
    "EventStream",
    "ServerSentEvent",
    "event_stream",
    "server_sent",
]

EventStream = EventSourceResponse

LINE_END: Final = "\n"

HEADERS: Final = {"Cache-Control": "no-store"}


def server_sent(event: str, data: str, event_id: str | None = None) -> ServerSentEvent:
    """Make an event; its id comes back as `Last-Event-ID` when the client reconnects."""
    return ServerSentEvent(data, event=event, id=event_id, sep=LINE_END)


def comment(text: str) -> ServerSentEvent:
    """Make a comment, which clients ignore; it shows each side that the other is there."""
    return ServerSentEvent(comment=text, sep=LINE_END)


FOLLOWING: Final = comment("following")
"""Sent first, so that a client knows at once that the stream is open."""
STILL_HERE: Final = comment("still here")


def event_stream(events: AsyncIterator[ServerSentEvent]) -> EventStream:
    """Return a response with these events.

    The iterator must end when the service stops: the library notices only uvicorn's own handling of
    signals, which a service's process does not use. Keep-alives come from the iterator too, so that
    it can check the session before each of them.
    """
    return EventSourceResponse(events, headers=HEADERS, ping=0, sep=LINE_END)
