"""Approvers, pickers and a buyer, who work while the platform is disturbed."""

import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Final

import httpx

from chaos.plans import Plan
from system.shop import Shop

PAUSE_SECONDS: Final = 1.0
APPROVERS: Final = ("ada", "bob")
ITEMS: Final = ("paperclip", "cars", "computers")
BOUGHT: Final = 1_000
"""The first delivery has this many pieces, and each later one has one more, so all differ."""
BUYING_PAUSES: Final = 12
"""The buyer buys after so many pauses."""


class People:
    """Threads that decide requests for approval, complete tasks and add stock."""

    def __init__(self, shop: Shop, placed: Mapping[str, Plan]) -> None:
        self._shop = shop
        self._placed = placed
        self._stopping = threading.Event()
        self.bought: list[tuple[str, int]] = []
        self.perhaps_bought: list[tuple[str, int]] = []
        """Deliveries whose request was not answered."""
        work = (self._decide_all, self._complete_all, self._buy)
        self._threads = [threading.Thread(target=self._repeat, args=(each,)) for each in work]
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """End the threads."""
        self._stopping.set()
        for thread in self._threads:
            thread.join()

    def _repeat(self, work: Callable[[], None]) -> None:
        while not self._stopping.wait(PAUSE_SECONDS):
            # Whatever is not answered is done again.
            with suppress(httpx.HTTPError):
                work()

    def _items(self, app: str, path: str, status: str) -> list[dict[str, Any]]:
        params: dict[str, Any] = {"status": status, "limit": 500}
        answer = self._shop.http.get(self._shop.url(app, path), params=params)
        items: list[dict[str, Any]] = answer.json()["items"] if answer.is_success else []
        return items

    def _decide_all(self) -> None:
        for request in self._items("approvals", "/approvals", "pending"):
            plan = self._placed.get(request["order_id"])
            if plan is not None:
                self._decide(plan, request)

    def _decide(self, plan: Plan, request: dict[str, Any]) -> None:
        """Send the decisions that are missing, over HTTP or on the topic."""
        decided = {decision["approver"] for decision in request.get("decisions", ())}
        for approver in APPROVERS[: request.get("levels", 1)]:
            if approver in decided:
                continue
            body = {"approved": bool(plan.of.approved), "approver": approver, "comment": ""}
            if plan.decided_over_http:
                path = f"/approvals/{plan.order_id}/decision"
                self._shop.http.post(self._shop.url("approvals", path), json=body)
            else:
                data = {"order_id": plan.order_id, **body}
                self._shop.publish("approvals.decisions", data)

    def _complete_all(self) -> None:
        for number, task in enumerate(self._items("orders", "/tasks", "assigned")):
            task_id = task["task_id"]
            if number % 2:
                self._shop.http.post(self._shop.url("orders", f"/tasks/{task_id}/complete"))
            else:
                done = {"task_id": task_id, "completed_at": datetime.now(UTC).isoformat()}
                self._shop.publish("tasks.completed", done)

    def _buy(self) -> None:
        """Add stock now and then; a request without an answer may have had its effect."""
        if self._stopping.wait(BUYING_PAUSES * PAUSE_SECONDS):
            return
        number = len(self.bought) + len(self.perhaps_bought)
        bought = (ITEMS[number % len(ITEMS)], BOUGHT + number)
        self.perhaps_bought.append(bought)
        body = {"item": bought[0], "quantity": bought[1]}
        if self._shop.invoke("orders", "inventory", "restock", body).is_success:
            self.perhaps_bought.remove(bought)
            self.bought.append(bought)
