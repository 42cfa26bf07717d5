"""Following orders to their end: every change once and in turn, from the feed and the orders."""

import time
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from orderflow_cli.errors import NotInTime, Refusal, ServiceUnreachable
from orderflow_cli.feed import StatusFeed
from orderflow_contracts.orders import Order, OrderStatus, OrderStatusChanged

FIRST_LOOK_SECONDS: Final = 2.0
LONGEST_LOOK_SECONDS: Final = 30.0
NOT_FOUND: Final = 404


class Following:
    """Iterates over the changes of some orders until each has its final status.

    The feed tells what happens. An order itself is read where the feed cannot have told: where a
    sequence number is missing, and after a while without news, ever more seldom, for an order that
    was submitted before and ended long ago makes no news at all.
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
        self._begun = time.monotonic()
        self._timeout = timeout
        self._pause = FIRST_LOOK_SECONDS
        self._look_at = self._begun + self._pause

    def look(self) -> Iterator[OrderStatusChanged]:
        """Yield what the orders themselves tell beyond what is known."""
        for order_id in list(self._last):
            yield from self._missing(order_id)

    def __iter__(self) -> Iterator[OrderStatusChanged]:
        """Yield each change; raise `NotInTime` after the time, if one was given."""
        while self._last:
            change = self._feed.next(self._wait_seconds())
            if change is not None and change.order_id in self._last:
                yield from self._in_turn(change)
                self._pause = FIRST_LOOK_SECONDS
                self._look_at = time.monotonic() + self._pause
            elif time.monotonic() >= self._look_at:
                yield from self.look()
                self._pause = min(self._pause * 2, LONGEST_LOOK_SECONDS)
                self._look_at = time.monotonic() + self._pause
            self._check_time()

    def _in_turn(self, change: OrderStatusChanged) -> Iterator[OrderStatusChanged]:
        if change.sequence > self._last[change.order_id] + 1:
            yield from self._missing(change.order_id)
        yield from self._new(change)

    def _missing(self, order_id: str) -> Iterator[OrderStatusChanged]:
        try:
            order = self._read_order(order_id)
        except ServiceUnreachable:
            return  # the feed has more patience, and tells when it is over
        except Refusal as refusal:
            if refusal.status == NOT_FOUND:
                return  # its event is still under way
            raise
        for change in changes_of(order):
            yield from self._new(change)

    def _new(self, change: OrderStatusChanged) -> Iterator[OrderStatusChanged]:
        if change.sequence <= self._last.get(change.order_id, change.sequence):
            return
        if change.status.is_final:
            del self._last[change.order_id]
        else:
            self._last[change.order_id] = change.sequence
        yield change

    def _wait_seconds(self) -> float:
        end = self._look_at
        if self._timeout is not None:
            end = min(end, self._begun + self._timeout)
        return end - time.monotonic()

    def _check_time(self) -> None:
        if self._timeout is None or not self._last:
            return
        if time.monotonic() - self._begun >= self._timeout:
            first, *others = self._last
            more = f" and {len(others)} more" if others else ""
            raise NotInTime(
                f"order {first}{more} did not come as far within {self._timeout:g} seconds; "
                f"`orderflow order {first}` shows where it is"
            )


def changes_of(order: Order) -> Iterator[OrderStatusChanged]:
    """Tell an order's history as the changes that made it."""
    for entry in order.history:
        known = entry.status is not OrderStatus.RECEIVED
        yield OrderStatusChanged(
            order_id=order.order_id,
            sequence=entry.sequence,
            status=entry.status,
            reason=entry.reason,
            total_cents=order.total_cents if known else None,
            at=entry.at,
        )
