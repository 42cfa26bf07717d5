"""Orders' edges: the topic, the method for approvals, and HTTP for people."""

import uuid
from typing import Annotated, Any, Final

from fastapi import APIRouter, Header, Request, Response
from pydantic import ConfigDict, Field, model_validator

from orderflow_contracts import names
from orderflow_contracts.approvals import RaiseReply, RaiseRequest
from orderflow_contracts.fields import OrderId, readable_order_id
from orderflow_contracts.orders import Order, OrderStatus, PlacedOrder
from orderflow_hosting.access import Principal, Role, changes, name_subject, reads
from orderflow_hosting.dapr_app import DaprApp
from orderflow_hosting.dead_letters import Known
from orderflow_hosting.events import Event
from orderflow_hosting.pages import After, Limit, Page, number_after, numbered_page
from orderflow_hosting.problems import Problem, ProblemDocument
from orderflow_hosting.topics import Refused, Topics, parse
from orderflow_workflow_runtime.ports import EngineUnavailable
from orders.domain import OrderEnded, UnknownOrder
from orders.order_ids import PathOrderId
from orders.ordering.feed import StatusFeed
from orders.ordering.idempotency import LONGEST, key_reused, order_id_of_key
from orders.ordering.naming import NamingEvent
from orders.ordering.records import IdTaken, Invalid, OtherContent
from orders.ordering.service import Intake
from orders.ordering.store import OrderStore
from orders.ordering.stream_api import add_stream

_MISSING: Final[dict[int | str, dict[str, Any]]] = {
    404: {"model": ProblemDocument, "description": "There is no such order"}
}
_KEY: Final = (
    "Without `order_id`: requests with the same key and content place one order. A text of up to"
    f" {LONGEST} printable ASCII characters, in quotes or without. With `order_id` it is ignored."
)


def subscribe(topics: Topics, intake: Intake) -> None:
    """Accept orders from the topic."""

    async def submitted(event: Event) -> None:
        naming = _naming(event)
        stand_in = None if naming is None else naming.key
        try:
            order = parse(PlacedOrder, event, order_id=stand_in)
        except Refused as refused:
            order_id = readable_order_id(event.content) or stand_in
            if order_id is not None:
                invalid = Invalid.of(event.content, refused.detail)
                refused.subject = await intake.reject_invalid(order_id, invalid, naming)
            raise
        try:
            await intake.submit(order, naming)
        except OtherContent as error:
            raise Refused(str(error), error.order_id) from error
        except IdTaken as error:
            taken = Invalid.taken(order)
            order_id = await intake.reject_invalid(error.order_id, taken, naming)
            raise Refused(f"{taken.reason}: {error}", order_id) from error

    async def find(event: Event) -> Known | None:
        order = await intake.find(readable_order_id(event.content), _naming(event))
        return None if order is None else Known("order", order.order_id, order.status)

    topics.subscribe(names.ORDERS_SUBMITTED, submitted, find)


def _naming(event: Event) -> NamingEvent | None:
    """Return what names the order of an event that does not; bare data has no id."""
    content = event.content
    has_order_id = not isinstance(content, dict) or content.get("order_id") is not None
    if has_order_id or event.id is None:
        return None
    return NamingEvent(event.source or "", event.id)


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


class NewOrder(PlacedOrder):
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

    @model_validator(mode="before")
    @classmethod
    def _leave_out_null(cls, data: object) -> object:
        """Read an id that is null as a missing one, as in events."""
        if isinstance(data, dict) and data.get("order_id", "") is None:
            return {name: value for name, value in data.items() if name != "order_id"}
        return data


def order_router(intake: Intake, store: OrderStore, feed: StatusFeed) -> APIRouter:
    """Serve orders: place, list, read, cancel, and follow live."""
    router = APIRouter(prefix="/orders", tags=["orders"])
    _add_placing(router, intake, store)
    add_stream(router, feed)  # before `/{order_id}`, which matches its path too
    _add_reading(router, store)
    _add_cancelling(router, intake, store)
    return router


def _add_placing(router: APIRouter, intake: Intake, store: OrderStore) -> None:
    """Place an order."""

    @router.post(
        "",
        status_code=202,
        summary="Place an order",
        responses={
            409: {
                "model": ProblemDocument,
                "description": "The id belongs to another order or workflow",
            },
            422: {
                "model": ProblemDocument,
                "description": "The input is not valid, or the key was used for another order",
            },
        },
    )
    async def place(
        order: NewOrder,
        request: Request,
        response: Response,
        caller: Annotated[Principal, changes(Role.OPERATOR, "order.place", open_is_audited=False)],
        idempotency_key: Annotated[str | None, Header(description=_KEY)] = None,
    ) -> Order:
        is_keyed = idempotency_key is not None and "order_id" not in order.model_fields_set
        if is_keyed:
            order_id = order_id_of_key(request, caller)
            order = order.model_copy(update={"order_id": order_id})
        name_subject(request, order.order_id)
        try:
            await intake.submit_and_return(order)
        except OtherContent as error:
            if is_keyed:
                raise key_reused() from error
            raise Problem(409, "ORDER_EXISTS", str(error)) from error
        except IdTaken as error:
            raise Problem(409, "ID_TAKEN", str(error)) from error
        response.headers["Location"] = f"/orders/{order.order_id}"
        return await _found(store, order.order_id)


def _add_reading(router: APIRouter, store: OrderStore) -> None:
    """List orders, and read one."""

    @router.get("", summary="List orders, newest first", dependencies=[reads()])
    async def list_orders(
        status: OrderStatus | None = None, limit: Limit = 100, after: After = None
    ) -> Page[Order]:
        found = await store.orders(status, limit + 1, number_after(after))
        return numbered_page(found, limit)

    @router.get(
        "/{order_id}",
        summary="Read an order with its history",
        responses=_MISSING,
        dependencies=[reads()],
    )
    async def read(order_id: PathOrderId) -> Order:
        return await _found(store, order_id)


def _add_cancelling(router: APIRouter, intake: Intake, store: OrderStore) -> None:
    """Cancel an order."""

    @router.post(
        "/{order_id}/cancel",
        status_code=202,
        summary="Request an order's cancellation; too late once its stock has been shipped",
        responses={
            **_MISSING,
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


async def _found(store: OrderStore, order_id: str) -> Order:
    order = await store.order(order_id)
    if order is None:
        raise Problem(404, "ORDER_NOT_FOUND", str(UnknownOrder(order_id)))
    return order
