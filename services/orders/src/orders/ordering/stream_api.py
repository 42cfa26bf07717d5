"""All status changes of orders, live, as server-sent events."""

from collections.abc import AsyncIterator
from typing import Annotated, Final

import structlog
from fastapi import APIRouter, Header, Query, Request, Response

from orderflow_contracts import names
from orderflow_hosting.access import reads
from orderflow_hosting.event_stream import (
    FOLLOWING,
    STILL_HERE,
    ServerSentEvent,
    event_stream,
    server_sent,
)
from orderflow_hosting.problems import Unavailable
from orders.ordering.feed import StatusFeed
from orders.ordering.feed_start import RESET

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

_AFTER: Final = (
    "The position after which to start; without one, the stream starts with the next change"
)
_LAST_EVENT_ID: Final = (
    "The id of the last event received, which browsers send when they reconnect; it takes "
    "precedence over `after`"
)
_DESCRIPTION: Final = """
Each status change is an event `orders.status`; its id is its position in the stream.

If the stream cannot start at the position sent, an event `reset` comes first. Its data has the
`position` after which the stream continues, a sentence for people in `detail`, and the `reason`:
`unreadable` if the value is not a position, `beyond_end` if there is no such position yet, and
`removed` if changes after it are no longer stored. After `removed`, all changes that are still
stored follow; otherwise the stream continues after a usable `after`, or with the next change.
"""


def add_stream(router: APIRouter, feed: StatusFeed) -> None:
    """Follow all status changes."""

    @router.get(
        "/stream",
        summary="Follow all status changes as server-sent events",
        description=_DESCRIPTION,
        response_class=Response,
        responses={200: {"content": {"text/event-stream": {}}}},
        dependencies=[reads()],
    )
    async def stream(
        request: Request,
        after: Annotated[str | None, Query(description=_AFTER)] = None,
        last_event_id: Annotated[str | None, Header(description=_LAST_EVENT_ID)] = None,
    ) -> Response:
        sent = []  # a value that is sent twice, joined like this, is not a position
        if last_event_id is not None:
            sent.append(",".join(request.headers.getlist("last-event-id")))
        if after is not None:
            sent.append(",".join(request.query_params.getlist("after")))
        return event_stream(_status_events(feed, sent))


async def _status_events(feed: StatusFeed, sent: list[str]) -> AsyncIterator[ServerSentEvent]:
    yield FOLLOWING
    try:
        start = await feed.start(sent)
        if reset := start.reset():
            log.info("feed_reset", reason=reset.reason, position=reset.position)
            yield server_sent(RESET, reset.model_dump_json(), str(reset.position))
        async for entry in feed.follow(start.position):
            if entry is None:
                yield STILL_HERE
            else:
                data = entry.change.model_dump_json()
                yield server_sent(names.ORDERS_STATUS, data, str(entry.position))
    except Unavailable as error:  # the client reconnects and continues from its last position
        log.warning("changes_unavailable", why=str(error))
