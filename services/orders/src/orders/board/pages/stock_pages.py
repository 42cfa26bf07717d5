"""The stock page: quantities on hand, reserved and sold, and a form to add stock."""

import re
import uuid
from functools import partial
from typing import Final

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import ValidationError

from orderflow_contracts.inventory import RestockRequest
from orderflow_contracts.numbers import read_whole_number
from orderflow_hosting.access import Role, form, name_subject, page
from orderflow_hosting.problems import Problem, invalid_input
from orderflow_hosting.refused_forms import refused_form
from orderflow_hosting.web import Site
from orders.board.pages.stock_levels import Stocks, levels
from orders.board.store import BoardStore

_KEY: Final = re.compile(r"[0-9a-f]{32}")
MAX_QUANTITY: Final = 1_000_000
FIRST_UNKNOWN: Final = 500
"""From this HTTP status on, it is unknown whether the stock was added."""
INVALID_QUANTITY: Final = (
    "Quantity to add: type a whole number from 1 to 1000000 in plain digits, "
    "without comma, point or space."
)


def stock_router(site: Site, board: BoardStore, stocks: Stocks) -> APIRouter:
    """Serve the stock page."""
    router = APIRouter(prefix="/board/stock", include_in_schema=False)

    render = partial(_render, site, board, stocks)

    @router.get("", dependencies=[page()])
    async def show(request: Request) -> Response:
        typed, action = refused_form(request), "/board/stock/restock"
        item, typed_quantity = typed.value(action, "item"), typed.value(action, "quantity")
        return await render(request, item=item, typed_quantity=typed_quantity)

    @router.post("/restock", dependencies=[form(Role.OPERATOR, "stock.restock")])
    async def restock(request: Request) -> Response:
        sent = await request.form()
        item, typed_quantity, key = (
            str(sent.get(name, "")).strip() for name in ("item", "quantity", "key")
        )
        name_subject(request, item)
        quantity = read_whole_number(typed_quantity) or 0
        if not 1 <= quantity <= MAX_QUANTITY or not _KEY.fullmatch(key):
            request.state.problem_code = "INVALID_INPUT"
            return await render(
                request, 422, error=INVALID_QUANTITY, item=item, typed_quantity=typed_quantity
            )
        try:
            await stocks.add(RestockRequest(item=item, quantity=quantity, restock_id=key))
        except ValidationError as error:
            raise invalid_input(error.errors()) from error
        except Problem as problem:
            if problem.status >= FIRST_UNKNOWN:
                raise  # the stock may have been added: only the same form may be submitted again
            request.state.problem_code = problem.code
            return await render(
                request,
                problem.status,
                error=problem.detail,
                item=item,
                typed_quantity=typed_quantity,
            )
        return RedirectResponse("/board/stock?restocked=1", status_code=303)

    return router


async def _render(
    site: Site,
    board: BoardStore,
    stocks: Stocks,
    request: Request,
    status_code: int = 200,
    *,
    error: str = "",
    item: str = "",
    typed_quantity: str = "",
) -> Response:
    stock, sold = await stocks.read(), await board.sold()
    return site.page(
        request,
        "stock.html",
        status_code,
        levels=None if stock is None else levels(stock, sold),
        sold=sold,
        key=uuid.uuid4().hex,
        restocked="restocked" in request.query_params,
        error=error,
        typed_item=item,
        typed_quantity=typed_quantity,
    )
