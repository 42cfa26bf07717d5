"""The first two orders of a run: a small one that completes, and one that needs approval."""

import secrets
import time
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from orderflow_cli.client import Orderflow
from orderflow_cli.errors import OrderflowError
from orderflow_cli.settings import load
from orderflow_contracts.orders import OrderLine, OrderStatus, OrderSubmitted
from orderflow_tools.console import print_line
from orderflow_tools.errors import PlatformError
from orderflow_tools.settings import Settings

TIMEOUT: Final = 30.0
"""Seconds that each order may take to complete or to wait for approval."""

RESTING: Final = frozenset({OrderStatus.COMPLETED, OrderStatus.AWAITING_APPROVAL})
"""The statuses in which an order needs nothing more, or needs a person."""


@dataclass(frozen=True)
class FirstOrders:
    """The ID of the large order, which waits for approval, and the last status of both orders."""

    waiting: str
    statuses: tuple[OrderStatus | None, ...]

    @property
    def succeeded(self) -> bool:
        """Whether each order got as far as it can without a decision."""
        return all(status in RESTING for status in self.statuses)


def show_first_orders(settings: Settings) -> FirstOrders:
    """Publish both orders as events, and show their statuses as they change."""
    run = secrets.token_hex(3)
    large = f"first-{run}-large"
    try:
        with Orderflow(load(settings.client_environment())) as client:
            statuses = (
                _show(client, f"first-{run}-small", OrderLine(item="paperclip", quantity=2)),
                _show(
                    client,
                    large,
                    OrderLine(item="cars", quantity=4),
                    until=[OrderStatus.AWAITING_APPROVAL],
                ),
            )
    except OrderflowError as error:
        raise PlatformError(
            f"The first orders could not be followed: {error}. "
            f"See orders.log and orders-daprd.log in {settings.logs}."
        ) from error
    return FirstOrders(large, statuses)


def _show(
    client: Orderflow, order_id: str, line: OrderLine, *, until: Collection[OrderStatus] = ()
) -> OrderStatus | None:
    last = None
    print_line(f"  order {order_id}: {line.quantity} {line.item}")
    order = OrderSubmitted(order_id=order_id, customer_id="you", lines=(line,))
    with client.statuses() as feed:
        begun = time.monotonic()
        client.publish(order)
        for change in client.follow(order_id, until=until, timeout=TIMEOUT, feed=feed):
            reason = f" ({change.reason})" if change.reason else ""
            print_line(f"    {change.status:<42} {time.monotonic() - begun:5.2f} s{reason}")
            last = change.status
    return last
