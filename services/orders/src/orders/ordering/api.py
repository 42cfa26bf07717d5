"""Orders' edges: the topic, the method for approvals, and HTTP for people."""

import uuid
from collections.abc import AsyncIterator
from typing import Annotated, Any, Final

import structlog
from fastapi import APIRouter, Header, Query, Request, Response
from pydantic import ConfigDict, Field

from orderflow_contracts import names
from orderflow_contracts.approvals import RaiseReply, RaiseRequest
from orderflow_contracts.fields import OrderId, readable_order_id
from orderflow_contracts.numbers import TypedNumber
from orderflow_contracts.orders import Order, OrderStatus, OrderSubmitted
from orderflow_hosting.access import Role, changes, name_subject, reads
from orderflow_hosting.dapr_app import DaprApp
from orderflow_hosting.event_stream import (
    FOLLOWING,
    STILL_HERE,
    ServerSentEvent,
    event_stream,
    server_sent,
)
from orderflow_hosting.events import Event
from orderflow_hosting.pages import After, Limit, Page, number_after, numbered_page, read_number
from orderflow_hosting.problems import Problem, ProblemDocument, Unavailable
from orderflow_hosting.topics import Refused, Topics, parse
from orderflow_workflow_runtime.ports import EngineUnavailable
from orders.domain import OrderEnded, UnknownOrder
from orders.order_ids import PathOrderId
from orders.ordering.feed import StatusFeed
from orders.ordering.records import OtherContent
from orders.ordering.service import Intake
from orders.ordering.store import OrderStore

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

MAX_POSITION: Final = 2**63 - 1


def subscribe(topics: Topics, intake: Intake) -> None:
    """Accept orders from the topic."""

    async def submitted(event: Event) -> None:
        try:
            order = parse(OrderSubmitted, event, order_id=event.id)
        except Refused:
            order_id = _order_id_in(event)
            if order_id is not None:
                await intake.reject_invalid(order_id)
            raise
        try:
            await intake.submit(order)
        except OtherContent as error:
            raise Refused(str(error)) from error

    topics.subscribe(names.ORDERS_SUBMITTED, submitted)


def _order_id_in(event: Event) -> str | None:
    """Return the id of the order that an event is about, even if it is not valid otherwise."""
    if not isinstance(event.content, dict):
        return None
    given = event.content.get("order_id")
    return readable_order_id({"order_id": event.id if given is None else given})


def offer_methods(app: DaprApp, intake: Intake) -> None:
    """Offer the method by which approvals hands over decisions."""

    async def raise_event(request: RaiseRequest) -> RaiseReply:
        try:
            return await intake.hand_over(request)
        except UnknownOrder as error:
            raise Problem(404, "ORDER_NOT_FOUND", str(error)) from error
        except EngineUnavailable as error:
            raise Problem(503, "SIDECAR_UNAVAILABLE", str(error)) from error

    callers = names.SERVICES[names.ORDERS].methods[names.RAISE]
    app.on_method(names.RAISE, RaiseRequest, raise_event, callers=callers)


class NewOrder(OrderSubmitted):
    """An order as it is placed over HTTP, where the id is optional."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "order_id": "my-1",
                    "customer_id": "me",
                    "lines": [{"item": "paperclip", "quantity": 3}],
                }
            ]
        }
    )

    order_id: OrderId = Field(default_factory=lambda: uuid.uuid4().hex)


def order_router(intake: Intake, store: OrderStore, feed: StatusFeed) -> APIRouter:
    """Serve orders: place, list, read, cancel, and follow live."""
    router = APIRouter(prefix="/orders", tags=["orders"])
    missing: dict[int | str, dict[str, Any]] = {
        404: {"model": ProblemDocument, "description": "There is no such order"}
    }

    @router.post(
        "",
        status_code=202,
        summary="Place an order",
        responses={
            409: {"model": ProblemDocument, "description": "The id is taken by another order"}
        },
        dependencies=[changes(Role.OPERATOR, "order.place", open_is_audited=False)],
    )
    async def place(order: NewOrder, request: Request, response: Response) -> Order:
        name_subject(request, order.order_id)
        try:
            await intake.submit_and_return(order)
        except OtherContent as error:
            raise Problem(409, "ORDER_EXISTS", str(error)) from error
        response.headers["Location"] = f"/orders/{order.order_id}"
        return await _found(store, order.order_id)

    @router.get("", summary="List orders, newest first", dependencies=[reads()])
    async def list_orders(
        status: OrderStatus | None = None, limit: Limit = 100, after: After = None
    ) -> Page[Order]:
        found = await store.orders(status, limit + 1, number_after(after))
        return numbered_page(found, limit)

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

    @router.get(
        "/{order_id}",
        summary="Read an order with its history",
        responses=missing,
        dependencies=[reads()],
    )
    async def read(order_id: PathOrderId) -> Order:
        return await _found(store, order_id)

    @router.post(
        "/{order_id}/cancel",
        status_code=202,
        summary="Request an order's cancellation; too late once its stock has been shipped",
        responses={
            **missing,
            409: {"model": ProblemDocument, "description": "The order has ended"},
        },
        dependencies=[changes(Role.OPERATOR, "order.cancel")],
    )
    async def cancel(order_id: PathOrderId) -> Order:
        try:
            await intake.cancel(order_id)
        except UnknownOrder as error:
            raise Problem(404, "ORDER_NOT_FOUND", str(error)) from error
        except OrderEnded as error:
            raise Problem(409, "ORDER_ENDED", str(error)) from error
        return await _found(store, order_id)

    return router


async def _found(store: OrderStore, order_id: str) -> Order:
    order = await store.order(order_id)
    if order is None:
        raise Problem(404, "ORDER_NOT_FOUND", str(UnknownOrder(order_id)))
    return order


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
