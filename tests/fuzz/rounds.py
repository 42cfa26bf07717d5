"""Sends generated events to a running platform in rounds, and judges what becomes of them.

Whatever is acknowledged must be found exactly once, with its bytes where they are kept; and a good
order that is published in between must complete.
"""

import json
import secrets
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

import httpx

from fakes.generated_events import ORDERS_OVER_HTTP, Sent
from fuzz.finding import Finder, Found, holds
from orderflow_contracts import names
from system.shop import Shop, wait_for

FOUND_WITHIN: Final = 30.0
AT_ONCE: Final = 8


@dataclass
class Results:
    """What became of all events; `faults` are described so that they can be sent again."""

    sent: int = 0
    refused: Counter[int] = field(default_factory=Counter)
    became: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    good_order_seconds: list[float] = field(default_factory=list)
    parked: list[str] = field(default_factory=list)


class Rounds:
    """Rounds of generated events on one platform."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop
        self._finder = Finder(shop)
        self._run = f"fuzz{secrets.token_hex(4)}n"
        self.results = Results()

    def play(self, batch: str, events: Sequence[Sent], first: int = 0) -> None:
        """Send events, several at a time, and a good order; judge them when all are handled.

        `batch` and the position from `first` name an event in the results.
        """
        self._shop.restock()
        self._finder.start_round()
        marked = {
            f"{self._run}{self.results.sent + n:06}e": (f"{batch}:{first + n}", sent)
            for n, sent in enumerate(events)
        }
        self._start_tasks([m for m, (_, s) in marked.items() if s.door == names.TASKS_COMPLETED])
        middle = len(marked) // 2
        work = [*[*marked][:middle], "", *[*marked][middle:]]
        placed: list[tuple[str, float]] = []

        def send(marker: str) -> int:
            if not marker:
                placed.append((self._shop.submit(), time.time()))
                return 0
            return self._send(marked[marker][1].marked(marker))

        statuses = dict(zip(work, self._shop.at_once(send, work, AT_ONCE), strict=True))
        self.results.sent += len(marked)
        ((order_id, began),) = placed
        self._judge_good_order(order_id, began)
        self._judge(marked, statuses)

    def _start_tasks(self, task_ids: Sequence[str]) -> None:
        """Start tasks for events to complete, and wait until they are known."""
        if not task_ids:
            return
        url = self._shop.url("orders", "/workflows/task_processing_workflow/start")

        def start(task_id: str) -> None:
            started = self._shop.http.post(url, json={"task_id": task_id, "title": "Find it"})
            assert started.status_code == 202, started.text

        def all_known() -> bool:
            tasks = self._shop.http.get(self._shop.url("orders", "/tasks"), params={"limit": 500})
            return set(task_ids) <= {task["task_id"] for task in tasks.json()["items"]}

        self._shop.at_once(start, task_ids, AT_ONCE)
        wait_for("the tasks to be known", all_known)

    def _send(self, sent: Sent) -> int:
        """Send it through its door, and return the status of the answer."""
        headers = [(name.encode(), value.encode()) for name, value in sent.headers]
        if sent.content_type is not None:
            headers.append((b"content-type", sent.content_type.encode()))
        if sent.door == ORDERS_OVER_HTTP:
            url, params = self._shop.url("orders", "/orders"), {}
        else:
            url = f"{self._shop.platform.sidecar_url('orders')}/v1.0/publish/pubsub/{sent.door}"
            params = {f"metadata.{name}": value for name, value in sent.metadata}
        try:
            answer = self._shop.http.post(url, content=sent.body, params=params, headers=headers)
        except httpx.HTTPError:
            return 0  # not acknowledged
        return answer.status_code

    def _judge_good_order(self, order_id: str, began: float) -> None:
        order = self._shop.wait_final(order_id)
        assert order["status"] == "completed", order
        ended = datetime.fromisoformat(order["updated_at"]).astimezone(UTC).timestamp()
        self.results.good_order_seconds.append(ended - began)

    def _judge(self, marked: dict[str, tuple[str, Sent]], statuses: dict[str, int]) -> None:
        taken = {m: pair for m, pair in marked.items() if statuses[m] in (202, 204)}
        for marker in set(marked) - set(taken):
            name, sent = marked[marker]
            self.results.refused[statuses[marker]] += 1
            if sent.door == ORDERS_OVER_HTTP and not 400 <= statuses[marker] < 500:
                self._report(name, sent, f"the answer was {statuses[marker]}")
        deadline = time.monotonic() + FOUND_WITHIN
        while True:
            # First this, because what is handled later may be found twice only afterwards.
            is_settled = self._finder.all_handled()
            found = self._finder.found(self._run)
            missing = [m for m, (_, sent) in taken.items() if not found.get((sent.door, m))]
            if (is_settled and not missing) or time.monotonic() > deadline:
                break
            time.sleep(0.1)
        if missing:
            found = self._finder.found(self._run, in_old_rows=True)
        if not is_settled:
            self.results.faults.append(f"not all acknowledged within {FOUND_WITHIN:.0f} s")
        for marker, (name, sent) in taken.items():
            self._judge_one(marker, name, sent, found.get((sent.door, marker), []))

    def _judge_one(self, marker: str, name: str, sent: Sent, found: list[Found]) -> None:
        if not found and is_cut_by_sidecar(sent, marker):
            self.results.became["cut by the publisher's sidecar"] += 1
            return
        if len(found) != 1:
            what = [f"{one.kind} ({one.reason})" for one in found]
            published = self._finder.published(sent.door, marker)
            self._report(
                name, sent, f"found {len(found)} times: {what}; in the broker: {published}"
            )
            return
        (one,) = found
        self.results.became[one.kind] += 1
        if one.kind == "parked event":
            self.results.parked.append(f"{name}: {one.reason}: {sent!r}")
        if one.data is None:
            return
        published = self._finder.published(sent.door, marker)
        if sent.is_raw and published != [sent.marked(marker).body]:
            self._report(name, sent, f"the broker has {published!r}")
        elif len(published) != 1 or not holds(one, published[0]):
            self._report(name, sent, f"{one.data!r} is kept of {published!r}")

    def _report(self, name: str, sent: Sent, fault: str) -> None:
        self.results.faults.append(f"{name}: {fault}\n    {sent!r}")


def is_cut_by_sidecar(sent: Sent, marker: str) -> bool:
    """Return whether the marker stands behind the first JSON value of data that is sent as JSON.

    Dapr 1.18 wraps that value alone, so the publisher's sidecar drops the rest.
    """
    if sent.is_raw or "json" not in (sent.content_type or "").lower():
        return False
    text = sent.marked(marker).body.decode("utf-8", "replace").lstrip()
    try:
        _, end = json.JSONDecoder().raw_decode(text)
    except (ValueError, RecursionError):
        return False
    return marker not in text[:end]
