"""Helpers for workflow management, through orders or through its sidecar."""

import json
import uuid
from typing import Any

import httpx

from orderflow_tools.platform import Platform
from system.shop import Shop, wait_for

HELLO = "interactive_hello_workflow"
COUNTER = "never_ending_workflow"
FINISHED = {"COMPLETED", "FAILED", "TERMINATED"}
STEP_PARTS = 10

FAST = {"ORDERS_HELLO_STEP_SECONDS": "0.05", "ORDERS_COUNTER_PAUSE_SECONDS": "0.2"}
"""Settings with a step of half a second, and a counter that counts five times per second."""


def new_suffix() -> str:
    """Return a unique suffix."""
    return uuid.uuid4().hex[:12]


def restart_orders(platform: Platform) -> None:
    """Kill orders and its sidecar, and wait until both are ready again."""
    former = {name: platform.kill(name) for name in ("orders", "orders-daprd")}
    for name, pid in former.items():
        platform.wait_for_restart(name, pid)
    platform.wait_until_ready()


def expect(response: httpx.Response, status: int, code: str | None = None) -> Any:
    """Check the status and, for a failure, the problem code; return the body."""
    assert response.status_code == status, response.text
    body = response.json()
    if code is not None:
        assert response.headers["content-type"] == "application/problem+json"
        assert (body["code"], body["status"]) == (code, status)
        assert body["title"]
        assert body["detail"]
    return body


class Workflows:
    """The workflows of a running platform, as an operator sees them."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop
        self.platform = shop.platform

    def get(self, path: str, **params: Any) -> httpx.Response:
        """Get a path under /workflows."""
        return self.shop.http.get(
            self.shop.url("orders", f"/workflows{path}"), params=params or None, timeout=60
        )

    def post(self, path: str, body: Any = None, **params: Any) -> httpx.Response:
        """Post to a path under /workflows, with a JSON body unless it is None."""
        content = json.dumps(body).encode() if body is not None else None
        headers = {"content-type": "application/json"} if body is not None else {}
        return self.shop.http.post(
            self.shop.url("orders", f"/workflows{path}"),
            params=params or None,
            content=content,
            headers=headers,
            timeout=60,
        )

    def start_hello(self, name: str = "Ann") -> str:
        """Start the slow workflow and return its id."""
        started = expect(self.post(f"/start/{new_suffix()}", user_name=name), 202)
        return str(started["instance_id"])

    def start_counter(self, first: int = 0) -> str:
        """Start the counter and return its id."""
        wanted = f"count-{new_suffix()}"
        path = f"/{COUNTER}/start"
        assert expect(self.post(path, first, instance_id=wanted), 202)["instance_id"] == wanted
        return wanted

    def status(self, instance_id: str) -> Any:
        """Return an instance."""
        return expect(self.get(f"/{instance_id}/status"), 200)

    def history(self, instance_id: str) -> Any:
        """Return the history of an instance."""
        return expect(self.get(f"/{instance_id}/history"), 200)["items"]

    def finished(self, instance_id: str, seconds: float = 30) -> Any:
        """Wait for an instance to finish, by the service's own wait."""
        return expect(self.get(f"/{instance_id}/wait", timeout_seconds=seconds), 200)

    def wait_for_status(self, instance_id: str, *statuses: str) -> Any:
        """Poll until an instance has one of the statuses."""

        def look() -> Any:
            instance = self.status(instance_id)
            return instance if instance["runtime_status"] in statuses else None

        return wait_for(f"{instance_id} to be {' or '.join(statuses)}", look)

    def wait_until_waiting(self, instance_id: str) -> None:
        """Poll until the step of the slow workflow is done, so that it waits for its event."""
        wait_for(
            f"{instance_id} to wait for its event",
            lambda: any(event["type"] == "task_completed" for event in self.history(instance_id)),
        )

    def wait_until_working(self, instance_id: str, part: int = 1) -> None:
        """Poll until the step of the slow workflow has reached this part, by the log of orders."""

        def look() -> bool:
            for line in self.platform.log("orders").read_text().splitlines():
                if "hello_works" in line and f'"{instance_id}"' in line:
                    entry = json.loads(line)
                    if entry["instance_id"] == instance_id and entry["part"] >= part:
                        return True
            return False

        wait_for(f"{instance_id} to be at part {part}", look)

    def wait_until_count_exceeds(self, instance_id: str, beyond: int) -> int:
        """Poll until a counter exceeds this count, and return its count."""

        def look() -> int | None:
            count = self.status(instance_id)["custom_status"]
            return count if isinstance(count, int) and count > beyond else None

        return wait_for(f"{instance_id} to count beyond {beyond}", look)

    def raise_approval(self, instance_id: str, payload: Any = None) -> httpx.Response:
        """Raise the event that the slow workflow waits for."""
        return self.post(f"/{instance_id}/raise_event/approvalEvent", payload)
