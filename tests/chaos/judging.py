"""Judges a run once the faults are over: everything must have ended, and all records agree."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial
from itertools import chain, combinations
from typing import Any, Final

import httpx

from chaos.load import Load
from system.shop import FINAL, Shop, assert_records_agree, wait_for

DEADLINE_SECONDS: Final = 300.0
"""Everything has ended by then: what the reconciler heals takes it a minute or two."""
SERVICES_WITH_EVENTS: Final = ("orders", "approvals")
CLOCKS_DIFFER: Final = timedelta(seconds=60)
"""A clock that is wrong is wrong by more than this."""
Stock = dict[str, int]


class Judge:
    """Collects what is wrong, in words that name the order or the service."""

    def __init__(self, shop: Shop, load: Load, opening: Stock) -> None:
        self._shop = shop
        self._load = load
        self._opening = opening
        self._deadline = time.monotonic() + DEADLINE_SECONDS
        self.orders: list[dict[str, Any]] = []
        self.violations: list[str] = list(load.faults)

    def judge(self) -> None:
        """Wait until all has ended, then compare everything."""
        self.orders = self._ended_orders()
        self._settle()
        for what, has_ended in self._things_to_end():
            self._expect(what, has_ended)
        for app in SERVICES_WITH_EVENTS:
            self._expect(f"the doctor of {app} to agree", partial(self._agrees, app))
        self.violations += chain(self._wrong_ends(), self._charged_although_cancelled())
        self.violations += self._disagreeing(self.orders)
        self.violations += self._wrong_stock()

    def _ended_orders(self) -> list[dict[str, Any]]:
        """Return all orders that have ended, and report those that have not."""
        left, ended = set(self._load.placed), {}
        while left and time.monotonic() < self._deadline:
            for order_id in sorted(left):
                order = self._shop.order(order_id)
                if order and order["status"] in FINAL:
                    ended[order_id] = order
            left -= ended.keys()
            time.sleep(0.5 if left else 0)
        for order_id in sorted(left):
            state = (self._shop.order(order_id) or {}).get("status", "unknown")
            kind = self._load.placed[order_id].kind
            self.violations.append(f"{order_id} ({kind}) has not ended: it is {state}")
        return list(ended.values())

    def _settle(self) -> None:
        """Retry the rollback of orders that need attention."""
        for order in self.orders:
            if order["status"] == "needs_attention":
                path = f"/orders/{order['order_id']}/retry"
                self._shop.http.post(self._shop.url("orders", path))

    def _things_to_end(self) -> Iterator[tuple[str, Callable[[], bool]]]:
        for batch_id in sorted(self._load.batches):
            yield f"batch {batch_id} to end", partial(self._batch_ended, batch_id)
        for app in SERVICES_WITH_EVENTS:
            yield f"the outbox of {app} to be empty", partial(self._owes_nothing, app)
        yield (
            "no request for approval to be pending",
            partial(self._is_empty, "approvals", "/approvals?status=pending"),
        )
        yield "no task to be open", partial(self._is_empty, "orders", "/tasks?status=assigned")
        yield "no stock to be reserved", self._nothing_reserved

    def _expect(self, what: str, look: Callable[[], bool]) -> None:
        try:
            wait_for(what, partial(_or_not, look), max(10.0, self._deadline - time.monotonic()))
        except AssertionError as error:
            self.violations.append(str(error))

    def _read(self, app: str, path: str) -> Any:
        answer = self._shop.http.get(self._shop.url(app, path), timeout=60)
        return answer.raise_for_status().json()

    def _batch_ended(self, batch_id: str) -> bool:
        return bool(self._read("orders", f"/batches/{batch_id}")["ended_at"])

    def _owes_nothing(self, app: str) -> bool:
        return self._shop.backlog(app) == 0

    def _is_empty(self, app: str, path: str) -> bool:
        return not self._read(app, path)["items"]

    def _agrees(self, app: str) -> bool:
        return bool(self._read(app, "/doctor")["agrees"])

    def _nothing_reserved(self) -> bool:
        return not any(self._shop.stock(item)["reserved"] for item in self._opening)

    def _wrong_ends(self) -> Iterator[str]:
        for order in self.orders:
            plan = self._load.placed[order["order_id"]]
            end = (order["status"], order["reason"])
            if end not in plan.ends:
                how = f"ended as {end} instead of {sorted(plan.ends, key=str)}"
                yield f"{plan.order_id} ({plan.kind}) {how}: {order['history']}"

    def _charged_although_cancelled(self) -> Iterator[str]:
        for order in self.orders:
            if order["status"] == "cancelled":
                path = f"/payments/{order['order_id']}"
                ended = datetime.fromisoformat(order["history"][-1]["at"])
                for entry in self._read("orders", path)["items"]:
                    late = datetime.fromisoformat(entry["at"]) - ended
                    if entry["kind"] == "charge" and timedelta() < late < CLOCKS_DIFFER:
                        yield f"{order['order_id']} was charged {late} after it was cancelled"

    def _disagreeing(self, orders: Sequence[dict[str, Any]]) -> list[str]:
        """Return what is wrong with the records of each order."""
        try:
            assert_records_agree(self._shop, orders)
        except (AssertionError, KeyError) as error:
            if len(orders) == 1:
                return [f"{orders[0]['order_id']}: {error!r}"]
            half = len(orders) // 2
            return self._disagreeing(orders[:half]) + self._disagreeing(orders[half:])
        return []

    def _wrong_stock(self) -> Iterator[str]:
        """Compare each item's stock; deliveries without an answer may have arrived or not."""
        people = self._load.people
        for item, opening in self._opening.items():
            added = sum(quantity for each, quantity in people.bought if each == item)
            shipped = sum(
                line["quantity"]
                for order in self.orders
                if order["status"] == "completed"
                for line in order["lines"]
                if line["item"] == item
            )
            difference = self._shop.stock(item)["on_hand"] - (opening + added - shipped)
            perhaps = [quantity for each, quantity in people.perhaps_bought if each == item]
            if difference not in _sums(perhaps):
                yield f"{difference:+} {item} on hand; without an answer: {perhaps}"


def _or_not(look: Callable[[], bool]) -> bool:
    """Ask a service; False if it does not answer."""
    with suppress(httpx.HTTPError):
        return look()
    return False


def _sums(numbers: list[int]) -> set[int]:
    sizes = range(len(numbers) + 1)
    return {sum(some) for size in sizes for some in combinations(numbers, size)}
