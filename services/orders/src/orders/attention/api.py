"""HTTP API for orders that need attention."""

from typing import Annotated

from fastapi import APIRouter

from orderflow_contracts.attention import OrderAttention
from orderflow_hosting.access import Principal, Role, changes, reads
from orderflow_hosting.problems import Problem, documented
from orders.attention.service import Attention
from orders.attention.store import NothingToRetry
from orders.domain import UnknownOrder
from orders.order_ids import PathOrderId
from orders.ordering.store import OrderStore


def attention_router(attention: Attention, store: OrderStore) -> APIRouter:
    """Serve the failed compensations of an order, and retry them."""
    router = APIRouter(prefix="/orders", tags=["orders"])

    @router.get(
        "/{order_id}/attention",
        summary="Read which steps of an order could not be undone, and the retries",
        responses=documented({404: "There is no such order, or it needs no attention"}),
        dependencies=[reads()],
    )
    async def read(order_id: PathOrderId) -> OrderAttention:
        found = await attention.of(order_id)
        if found is not None:
            return found
        order = await store.order(order_id)
        if order is None:
            raise Problem(404, "ORDER_NOT_FOUND", str(UnknownOrder(order_id)))
        detail = f"order {order_id} needs no attention: it is {order.status}"
        raise Problem(404, "NO_ATTENTION_NEEDED", detail)

    @router.post(
        "/{order_id}/retry",
        status_code=202,
        summary="Retry the rollback of an order; its final status does not change",
        responses=documented(
            {404: "There is no such order", 409: "It needs no attention, or is settled"}
        ),
    )
    async def retry(
        order_id: PathOrderId,
        principal: Annotated[Principal, changes(Role.OPERATOR, "order.retry")],
    ) -> OrderAttention:
        return await retried(attention, order_id, principal.name)

    return router


async def retried(attention: Attention, order_id: str, by: str) -> OrderAttention:
    """Retry the rollback of an order and return its state. Raises `Problem`."""
    try:
        is_known = await attention.retry(order_id, by)
    except NothingToRetry as error:
        raise Problem(409, "NOTHING_TO_RETRY", str(error)) from error
    found = await attention.of(order_id) if is_known else None
    if found is None:
        raise Problem(404, "ORDER_NOT_FOUND", str(UnknownOrder(order_id)))
    return found
