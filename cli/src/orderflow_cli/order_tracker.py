"""Tracks orders until they end: every change once and in sequence, from the feed and the orders."""

import time
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from orderflow_cli.errors import RequestRejected, ServiceUnreachable, WaitTimedOut
from orderflow_cli.feed import StatusFeed
from orderflow_contracts.orders import REFUSALS, Order, OrderStatus, OrderStatusChanged

FIRST_READ_SECONDS: Final = 2.0
MAX_READ_SECONDS: Final = 30.0
NOT_FOUND: Final = 404


class OrderTracker:
    """Iterates over the status changes of some orders until each has its final status.

    The changes come from the feed. The order itself is read when a sequence number is missing, and
    at growing intervals while the feed is silent, because an order that ended before the feed was
    opened never appears in it.
    """

    def __init__(
        self,
        read_order: Callable[[str], Order],
        feed: StatusFeed,
        order_ids: Iterable[str],
        *,
        after: int = 0,
        timeout: float | None = None,
    ) -> None:
        self._read_order = read_order
        self._feed = feed
        self._last = dict.fromkeys(order_ids, after)
        self._started_at = time.monotonic()
        self._timeout = timeout
        self._pause = FIRST_READ_SECONDS
        self._next_read_at = self._started_at + self._pause

    def catch_up(self) -> Iterator[OrderStatusChanged]:
        """Read the orders, and yield the changes that have not been seen yet."""
        for order_id in list(self._last):
            yield from self._missing(order_id)

    def __iter__(self) -> Iterator[OrderStatusChanged]:
        """Yield each change; raise `WaitTimedOut` after the time limit, if there is one."""
        while self._last:
            change = self._feed.next(self._wait_seconds())
            if change is not None and change.order_id in self._last:
                yield from self._in_sequence(change)
                self._pause = FIRST_READ_SECONDS
                self._next_read_at = time.monotonic() + self._pause
            elif time.monotonic() >= self._next_read_at:
                yield from self.catch_up()
                self._pause = min(self._pause * 2, MAX_READ_SECONDS)
                self._next_read_at = time.monotonic() + self._pause
            self._check_time()

    def _in_sequence(self, change: OrderStatusChanged) -> Iterator[OrderStatusChanged]:
        if change.sequence > self._last[change.order_id] + 1:
            yield from self._missing(change.order_id)
        yield from self._new(change)

    def _missing(self, order_id: str) -> Iterator[OrderStatusChanged]:
        try:
            order = self._read_order(order_id)
        except ServiceUnreachable:
            return  # the feed keeps trying longer, and reports when it gives up
        except RequestRejected as rejection:
            if rejection.status == NOT_FOUND:
                return  # its event has not arrived yet
            raise
        for change in changes_of(order):
            yield from self._new(change, is_last=change.sequence == order.sequence)

    def _new(
        self, change: OrderStatusChanged, *, is_last: bool = True
    ) -> Iterator[OrderStatusChanged]:
        """Yield a change that is new; nothing follows a final status if it `is_last`.

        The rejection of an invalid submission is not, if a valid one came after it.
        """
        if change.sequence <= self._last.get(change.order_id, change.sequence):
            return
        if change.status.is_final and is_last:
            del self._last[change.order_id]
        else:
            self._last[change.order_id] = change.sequence
        yield change

    def _wait_seconds(self) -> float:
        end = self._next_read_at
        if self._timeout is not None:
            end = min(end, self._started_at + self._timeout)
        return end - time.monotonic()

    def _check_time(self) -> None:
        if self._timeout is None or not self._last:
            return
        if time.monotonic() - self._started_at >= self._timeout:
            first, *others = self._last
            more = f" and {len(others)} more" if others else ""
            raise WaitTimedOut(
                f"order {first}{more} did not finish within {self._timeout:g} seconds; "
                f"see its status with `orderflow order {first}`"
            )


def changes_of(order: Order) -> Iterator[OrderStatusChanged]:
    """Convert an order's history to status changes."""
    for entry in order.history:
        is_priced = entry.status is not OrderStatus.RECEIVED and entry.reason not in REFUSALS
        yield OrderStatusChanged(
            order_id=order.order_id,
            sequence=entry.sequence,
            status=entry.status,
            reason=entry.reason,
            detail=entry.detail,
            total_cents=order.total_cents if is_priced else None,
            at=entry.at,
        )
