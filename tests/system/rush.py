"""Many orders, some of them large, all of which must complete whatever fails meanwhile."""

from functools import partial
from typing import Any

import httpx

from system.storefront import FINAL, Storefront, assert_records_agree, new_id, wait_for

LARGE_EVERY = 10
"""One order in this many is large and waits for a decision."""
CARS = 4
"""The number of cars that makes an order large enough to need approval."""


class Rush:
    """Orders with unique ids: mostly paperclips, some cars."""

    def __init__(self, shop: Storefront, count: int) -> None:
        self._shop = shop
        self.orders = [
            shop.order_data(new_id("rush"), "cars", CARS)
            if number % LARGE_EVERY == 0
            else shop.order_data(new_id("rush"), "paperclip", 1)
            for number in range(count)
        ]
        self.ids = [data["order_id"] for data in self.orders]
        self.large = [data["order_id"] for data in self.orders[::LARGE_EVERY]]
        shop.restock()
        self._before = self._stock()

    def submit_half(self) -> None:
        """Publish the first half of the orders."""
        self._submit(self.orders[: len(self.orders) // 2])

    def wait_until_under_way(self) -> None:
        """Wait until stock is reserved for an order, so that processing has begun."""
        wait_for("an order to be reserved", lambda: self._published({"reserved"}) & set(self.ids))

    def submit_rest(self) -> None:
        """Publish the second half."""
        self._submit(self.orders[len(self.orders) // 2 :])

    def approve(self, timeout: float = 120) -> None:
        """Approve the large orders, retrying until each decision is recorded."""
        for order_id in self.large:
            wait_for(f"{order_id} to be approved", partial(self._decided, order_id), timeout)

    def assert_all_sold_once(self, timeout: float = 180) -> None:
        """Check that every order is completed and that stock and payments agree."""
        shop = self._shop
        ended = shop.wait_all_final(self.ids, timeout)
        ends = {(order["status"], order["reason"]) for order in ended}
        assert ends == {("completed", None)}, ends
        sold = {"cars": CARS * len(self.large), "paperclip": len(self.ids) - len(self.large)}
        after = self._stock()
        assert {i: self._before[i]["on_hand"] - after[i]["on_hand"] for i in sold} == sold
        # Orders of other tests may be waiting for a decision: what they reserve must not change.
        reserved = {i: self._before[i]["reserved"] - after[i]["reserved"] for i in sold}
        assert reserved == dict.fromkeys(sold, 0)
        wait_for("every final status to be published", self._all_published)
        assert_records_agree(shop, ended)
        for order_id in self.large:
            assert shop.wait_approval(order_id, "approved")["approver"] == shop.approver
        assert not shop.dead_letters_with("orders", "rush-")

    def _submit(self, orders: list[dict[str, Any]]) -> None:
        self._shop.at_once(self._shop.submit_until_accepted, orders, threads=8)

    def _stock(self) -> dict[str, dict[str, Any]]:
        return {item: self._shop.stock(item) for item in ("cars", "paperclip")}

    def _decided(self, order_id: str) -> bool:
        if self._shop.approval(order_id) is None:
            return False
        try:
            return self._shop.decide(order_id, approved=True).status_code == 200
        except httpx.HTTPError:
            return False

    def _all_published(self) -> bool:
        return self._published(FINAL) >= set(self.ids)

    def _published(self, statuses: set[str]) -> set[str]:
        events: list[dict[str, Any]] = self._shop.stream("orders.status")
        return {e["subject"] for e in events if e["data"]["status"] in statuses}
