"""Places orders and batches while the platform is disturbed, and does what people do with them."""

import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Final

import httpx

from chaos.people import People
from chaos.plans import Plan
from system.shop import Shop, wait_for

AT_ONCE: Final = 32
PATIENCE: Final = 300.0
"""Seconds for which a client repeats a request until it is acknowledged."""
ACKNOWLEDGED: Final = (202, 204)


class Load:
    """Orders that are placed at their time, each by a client that insists."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop
        self._pool = ThreadPoolExecutor(AT_ONCE)
        self._jobs: list[Future[None]] = []
        self._stopping = threading.Event()
        self.placed: dict[str, Plan] = {}
        self.batches: set[str] = set()
        self.faults: list[str] = []
        self.people = People(shop, self.placed)

    def play(self, groups: Iterable[list[Plan]], seconds: float) -> None:
        """Begin to place these orders and batches, spread over so many seconds."""
        began = time.monotonic()
        for group in sorted(groups, key=lambda them: them[0].due):
            job = self._place_batch if group[0].batch_id else self._place_one
            due = began + seconds * group[0].due
            self._jobs.append(self._pool.submit(self._later, due, job, group))

    def finish(self) -> None:
        """Wait until every request was acknowledged, or given up, which is a fault."""
        for job in self._jobs:
            if error := job.exception():
                self.faults.append(str(error))
        self._jobs.clear()

    def close(self) -> None:
        """End the threads."""
        self._stopping.set()
        self._pool.shutdown(cancel_futures=True)
        self.people.close()

    def _later(self, due: float, job: Callable[[list[Plan]], None], group: list[Plan]) -> None:
        self._stopping.wait(max(0.0, due - time.monotonic()))
        job(group)

    def _place_one(self, group: list[Plan]) -> None:
        (plan,) = group
        for _ in range(1 + plan.repeats):
            if plan.over_http:
                self._insist(plan.order_id, "orders", "/orders", plan.data)
            else:
                self._publish(plan.order_id, "orders.submitted", plan.data)
            self.placed[plan.order_id] = plan
        self._cancel(plan)

    def _place_batch(self, group: list[Plan]) -> None:
        batch_id = group[0].batch_id or ""
        data = {"batch_id": batch_id, "orders": [plan.data for plan in group]}
        self._publish(batch_id, "orders.batch-submitted", data)
        self.batches.add(batch_id)
        self.placed |= {plan.order_id: plan for plan in group}
        for plan in group:
            self._cancel(plan)

    def _cancel(self, plan: Plan) -> None:
        """Cancel the order if that is planned, repeating the request until it is answered."""
        if plan.cancel_after is None:
            return
        self._stopping.wait(plan.cancel_after)
        plan.asked_to_cancel = True
        path = f"/orders/{plan.order_id}/cancel"
        answer = self._insist(plan.order_id, "orders", path, None, {202, 409})
        if answer.status_code == 202:
            plan.cancel_accepted_in.add(answer.json()["status"])

    def _insist(
        self, what: str, app: str, path: str, body: Any, wanted: Iterable[int] = ACKNOWLEDGED
    ) -> httpx.Response:
        """Repeat a request until the answer has one of the wanted statuses."""

        def answer() -> httpx.Response | None:
            try:
                found = self._shop.http.post(self._shop.url(app, path), json=body)
            except httpx.HTTPError:
                return None
            return found if found.status_code in wanted else None

        return self._acknowledged(what, answer)

    def _publish(self, what: str, topic: str, data: Any) -> None:
        def answer() -> httpx.Response | None:
            try:
                found = self._shop.publish(topic, data)
            except httpx.HTTPError:
                return None
            return found if found.is_success else None

        self._acknowledged(what, answer)

    def _acknowledged(
        self, what: str, answer: Callable[[], httpx.Response | None]
    ) -> httpx.Response:
        return wait_for(f"an answer about {what}", lambda: _found(answer()), PATIENCE)[0]


def _found(answer: httpx.Response | None) -> tuple[httpx.Response] | None:
    """Wrap an answer, because one with an error status is not true."""
    return None if answer is None else (answer,)
