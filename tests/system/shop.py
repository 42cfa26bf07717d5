"""The running platform as the system tests use it."""

import json
from typing import Any

import httpx
import redis

from orderflow_tools.platform import Platform
from system.storefront import FINAL, Storefront, assert_records_agree, new_id, wait_for

__all__ = ["FINAL", "Shop", "assert_records_agree", "new_id", "wait_for"]


class Shop(Storefront):
    """The platform on this machine, including the sidecars' APIs."""

    def __init__(self, platform: Platform) -> None:
        # Services close connections that were idle for five seconds; a request must not meet that.
        limits = httpx.Limits(max_connections=64, keepalive_expiry=2)
        super().__init__(httpx.Client(timeout=10, trust_env=False, limits=limits))
        self.platform = platform
        self._broker = redis.Redis(port=platform.settings.ports.control.broker)

    def close(self) -> None:
        """Close the connections."""
        self.http.close()
        self._broker.close()

    @property
    def broker(self) -> redis.Redis:
        """The broker of the platform."""
        return self._broker

    def url(self, app: str, path: str) -> str:
        """Return the URL of a service's path."""
        return f"{self.platform.url(app)}{path}"

    def invoke(self, caller: str, app: str, method: str, body: Any = None) -> httpx.Response:
        """Invoke a method through the sidecar of `caller`."""
        path = f"/v1.0/invoke/{app}/method/{method}"
        return self.http.post(f"{self.platform.sidecar_url(caller)}{path}", json=body or {})

    def publish(
        self,
        topic: str,
        data: Any,
        *,
        raw: bytes | None = None,
        content_type: str = "application/json",
    ) -> httpx.Response:
        """Publish on a topic through the sidecar of orders."""
        content = raw if raw is not None else json.dumps(data).encode()
        return self.http.post(
            f"{self.platform.sidecar_url('orders')}/v1.0/publish/pubsub/{topic}",
            content=content,
            headers={"content-type": content_type},
        )
