"""The page to place an order; submitting its form twice places one order."""

from dataclasses import replace
from typing import Final

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from orderflow_contracts.orders import OrderSubmitted
from orderflow_hosting.access import Role, form, name_subject, page
from orderflow_hosting.refused_forms import refused_form
from orderflow_hosting.web import Site
from orders.board.pages.new_order_form import OrderForm, new_form, read_form
from orders.board.pages.stock_levels import Stocks
from orders.ordering.records import IdTaken, OtherContent
from orders.ordering.service import Intake

TAKEN: Final = "This ID belongs to another order."
TAKEN_BY_WORKFLOW: Final = "This ID belongs to a workflow that is not an order."
SENT_BEFORE: Final = (
    "This form has already placed an order with different content. "
    "Submit it again to place another one."
)


def new_order_router(site: Site, intake: Intake, stocks: Stocks) -> APIRouter:
    """Serve the form, and place the order."""
    router = APIRouter(prefix="/board/new-order", include_in_schema=False)

    async def shown(request: Request, typed: OrderForm, status_code: int = 200) -> Response:
        stock = await stocks.read()
        items = stock.items if stock is not None else ()
        return site.page(
            request,
            "new-order.html",
            status_code,
            form=typed,
            further=OrderSubmitted.further_fields(),
            items=items,
        )

    @router.get("", dependencies=[page(Role.OPERATOR)])
    async def ask(request: Request) -> Response:
        typed = refused_form(request)
        is_refused = typed.action == request.url.path
        return await shown(request, read_form(typed.by_name) if is_refused else new_form())

    @router.post("", dependencies=[form(Role.OPERATOR, "order.place")])
    async def place(request: Request) -> Response:
        sent = await request.form()
        fields = {key: [str(value) for value in sent.getlist(key)] for key in sent}
        typed = read_form(fields)
        if "more" in fields:
            return await shown(request, typed.with_more_lines())
        order = typed.read()
        if isinstance(order, OrderForm):
            return await shown(request, order, 422)
        name_subject(request, order.order_id)
        try:
            await intake.submit_and_return(order)
        except OtherContent:
            return await shown(request, _refused(typed), 409)
        except IdTaken:
            refused = typed.with_errors({"order_id": TAKEN_BY_WORKFLOW})
            return await shown(request, refused, 409)
        return RedirectResponse(f"/board/orders/{order.order_id}?done=placed", status_code=303)

    return router


def _refused(typed: OrderForm) -> OrderForm:
    if typed.order_id:
        return typed.with_errors({"order_id": TAKEN})
    return replace(typed, key=new_form().key, errors={"form": SENT_BEFORE})
