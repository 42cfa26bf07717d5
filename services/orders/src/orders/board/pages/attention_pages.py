"""The button on an order's page that retries a failed rollback."""

from typing import Annotated

from fastapi import APIRouter
from fastapi.responses import RedirectResponse, Response

from orderflow_hosting.access import Principal, Role, form
from orders.attention.api import retried
from orders.attention.service import Attention
from orders.order_ids import PathOrderId


def attention_pages(attention: Attention) -> APIRouter:
    """Serve the button; the order's page shows the result."""
    router = APIRouter(prefix="/board/orders", include_in_schema=False)

    @router.post("/{order_id}/retry")
    async def retry(
        order_id: PathOrderId,
        principal: Annotated[Principal, form(Role.OPERATOR, "order.retry")],
    ) -> Response:
        await retried(attention, order_id, principal.name)
        return RedirectResponse(f"/board/orders/{order_id}?done=retry", status_code=303)

    return router
