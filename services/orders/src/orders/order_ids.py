"""Order ids in the paths of HTTP requests."""

from typing import Annotated

from fastapi import Depends, Path

from orderflow_contracts.fields import readable_order_id
from orderflow_hosting.problems import Problem
from orders.domain import UnknownOrder


def possible_order_id(
    order_id: Annotated[str, Path(description="The order's id", examples=["my-1"])],
) -> str:
    """Return the id if it has the form of an order id; otherwise raise a 404 problem."""
    if readable_order_id({"order_id": order_id}) is None:
        raise Problem(404, "ORDER_NOT_FOUND", str(UnknownOrder(order_id)))
    return order_id


PathOrderId = Annotated[str, Depends(possible_order_id)]
