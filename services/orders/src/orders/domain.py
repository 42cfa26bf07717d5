"""The rules of orders. Pure."""

from dataclasses import dataclass

from orderflow_contracts.orders import Order, OrderStatus, Reason


def approval_levels(
    total_cents: int, threshold_cents: int, second_threshold_cents: int | None
) -> int:
    """Return how many people must approve: one above the threshold, two above the second."""
    if total_cents <= threshold_cents:
        return 0
    if second_threshold_cents is None or total_cents <= second_threshold_cents:
        return 1
    return 2


def is_low(available: int, threshold: int) -> bool:
    """Whether an item is low in stock: below the threshold, not at it."""
    return available < threshold


def was_decided(order: Order) -> bool:
    """Whether the order's history has a decision: approved or denied."""
    return any(
        entry.status is OrderStatus.APPROVED or entry.reason == Reason.DENIED
        for entry in order.history
    )


def was_requested(order: Order) -> bool:
    """Whether approval was requested: that is recorded together with the request."""
    return any(entry.status is OrderStatus.AWAITING_APPROVAL for entry in order.history)


@dataclass(frozen=True)
class Ending:
    """How an order ends: its final status and, unless it is completed, the reason.

    `detail` explains a rejection in a sentence.
    """

    status: OrderStatus
    reason: str | None = None
    detail: str | None = None

    @property
    def is_good(self) -> bool:
        """Whether nothing has to be rolled back."""
        return self.status is OrderStatus.COMPLETED


COMPLETED = Ending(OrderStatus.COMPLETED)
CANCELLED = Ending(OrderStatus.CANCELLED, Reason.CANCELLED_ON_REQUEST)
UNDO_FAILED = Ending(OrderStatus.NEEDS_ATTENTION, Reason.UNDO_FAILED)


def rejected(reason: str, detail: str | None = None) -> Ending:
    """End an order that a rule rejects."""
    return Ending(OrderStatus.REJECTED, reason, detail)


def failed(reason: str) -> Ending:
    """End an order whose step failed after all retries."""
    return Ending(OrderStatus.FAILED, reason)


class UnknownOrder(Exception):
    """There is no order with this id."""

    def __init__(self, order_id: str) -> None:
        super().__init__(f"there is no order {order_id}")


class OrderEnded(Exception):
    """The order has its final status and cannot change any more."""

    def __init__(self, order_id: str, status: OrderStatus) -> None:
        super().__init__(f"order {order_id} has ended: it is {status}")
