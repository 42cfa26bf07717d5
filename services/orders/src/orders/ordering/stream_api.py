"""All status changes of orders, live, as server-sent events."""

from collections.abc import AsyncIterator
from typing import Annotated, Final

import structlog
from fastapi import APIRouter, Header, Query, Response

from orderflow_contracts import names
from orderflow_contracts.numbers import TypedNumber
from orderflow_hosting.access import reads
from orderflow_hosting.event_stream import (
    FOLLOWING,
    STILL_HERE,
    ServerSentEvent,
    event_stream,
    server_sent,
)
from orderflow_hosting.pages import read_number
from orderflow_hosting.problems import Unavailable
from orders.ordering.feed import StatusFeed

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

MAX_POSITION: Final = 2**63 - 1


def add_stream(router: APIRouter, feed: StatusFeed) -> None:
    """Follow all status changes."""

    @router.get(
        "/stream",
        summary="Follow all status changes as server-sent events",
        response_class=Response,
        responses={200: {"content": {"text/event-stream": {}}}},
        dependencies=[reads()],
    )
    async def stream(
        after: Annotated[
            TypedNumber | None,
            Query(ge=0, le=MAX_POSITION, description="The position after which to start"),
        ] = None,
        last_event_id: Annotated[str | None, Header()] = None,
    ) -> Response:
        position = read_number(last_event_id or "")
        return event_stream(_status_events(feed, after if position is None else position))


async def _status_events(feed: StatusFeed, position: int | None) -> AsyncIterator[ServerSentEvent]:
    yield FOLLOWING
    try:
        async for entry in feed.follow(position):
            if entry is None:
                yield STILL_HERE
            else:
                data = entry.change.model_dump_json()
                yield server_sent(names.ORDERS_STATUS, data, str(entry.position))
    except Unavailable as error:  # the client reconnects and continues from its last position
        log.warning("changes_unavailable", why=str(error))
