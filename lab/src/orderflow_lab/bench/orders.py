"""Orders as a load: published as events, and followed until they end."""

import asyncio
import contextlib
import json
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import httpx
from httpx_sse import aconnect_sse

from orderflow_cli.service import STRUCTURED_EVENT, auth_headers
from orderflow_cli.settings import load
from orderflow_contracts import names
from orderflow_contracts.fields import now
from orderflow_contracts.orders import OrderStatus
from orderflow_tools.errors import PlatformError
from orderflow_tools.settings import Settings

PATIENCE: Final = 60.0
"""Seconds without any status after which the measurement fails."""
ITEM: Final = "paperclip"

Tick = Callable[[], None]


@dataclass(frozen=True)
class Done:
    """Finished work: the wall time in seconds, and each latency in ms."""

    seconds: float
    latencies_ms: Sequence[float]


@dataclass
class _Burst:
    """The orders of one burst: when each was published, and how long each took."""

    places: asyncio.Semaphore
    published: dict[str, float] = field(default_factory=dict)
    latencies_ms: list[float] = field(default_factory=list)


class OrderLoad:
    """Publishes orders through the sidecar of orders, and waits until they have ended.

    Raises PlatformError if an order does not complete.
    """

    def __init__(self, settings: Settings) -> None:
        self._publish_url = (
            f"{settings.sidecar_url(names.ORDERS)}"
            f"/v1.0/publish/{names.PUBSUB}/{names.ORDERS_SUBMITTED}"
        )
        self._stream_url = f"{settings.url(names.ORDERS)}/orders/stream"
        self._auth_headers = auth_headers(
            load(settings.client_environment()).credential, self._stream_url
        )
        self._position = 0
        self.done = 0

    def run(self, count: int, in_flight: int, *, pause: float = 0.0, tick: Tick) -> Done:
        """Process `count` orders, with a pause in seconds before each; call `tick` after each."""
        return asyncio.run(self._run(count, in_flight, pause, tick))

    async def _run(self, count: int, in_flight: int, pause: float, tick: Tick) -> Done:
        burst = _Burst(asyncio.Semaphore(in_flight))
        limits = httpx.Limits(max_connections=in_flight + 1)
        async with httpx.AsyncClient(limits=limits, timeout=PATIENCE, trust_env=False) as client:
            following = asyncio.create_task(self._follow(client, burst, count, tick))
            publishing = asyncio.create_task(self._publish_all(client, burst, count, pause))
            begun = time.perf_counter()
            try:
                # Whichever fails first ends both; without a failure, following ends last.
                await asyncio.gather(publishing, following)
            finally:
                publishing.cancel()
                following.cancel()
            seconds = time.perf_counter() - begun
        self.done += count
        return Done(seconds, burst.latencies_ms)

    async def _publish_all(
        self, client: httpx.AsyncClient, burst: _Burst, count: int, pause: float
    ) -> None:
        run = uuid.uuid4().hex[:12]
        async with asyncio.TaskGroup() as group:
            for number in range(count):
                await burst.places.acquire()
                await asyncio.sleep(pause)
                group.create_task(self._publish(client, burst, f"bench-{run}-{number}"))

    async def _publish(self, client: httpx.AsyncClient, burst: _Burst, order_id: str) -> None:
        burst.published[order_id] = time.perf_counter()
        answer = await client.post(
            self._publish_url,
            content=json.dumps(_event(order_id)),
            headers={"Content-Type": STRUCTURED_EVENT},
        )
        if not answer.is_success:
            raise PlatformError(f"An order could not be published: {answer.text}")

    async def _follow(
        self, client: httpx.AsyncClient, burst: _Burst, count: int, tick: Tick
    ) -> None:
        clock, query = asyncio.get_running_loop().time, {"after": self._position}
        with contextlib.suppress(TimeoutError):
            async with (
                asyncio.timeout(PATIENCE) as limit,
                aconnect_sse(
                    client, "GET", self._stream_url, params=query, headers=self._auth_headers
                ) as stream,
            ):
                async for event in stream.aiter_sse():
                    if event.event != names.ORDERS_STATUS:  # a keep-alive message, or a reset
                        continue
                    limit.reschedule(clock() + PATIENCE)
                    self._position = int(event.id)
                    if _ended(burst, json.loads(event.data)):
                        burst.places.release()
                        tick()
                    if len(burst.latencies_ms) == count:
                        return
        left = count - len(burst.latencies_ms)
        raise PlatformError(f"{left} of {count} orders have not ended: see orders.log.")


def _ended(burst: _Burst, change: dict[str, Any]) -> bool:
    """Record the end of an order of this burst; return whether the change was one."""
    status, order_id = OrderStatus(change["status"]), change["order_id"]
    if not status.is_final or order_id not in burst.published:
        return False
    if status is not OrderStatus.COMPLETED:
        raise PlatformError(f"Order {order_id} ended as {status} ({change['reason']}).")
    burst.latencies_ms.append(1000 * (time.perf_counter() - burst.published[order_id]))
    return True


def _event(order_id: str) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "id": order_id,
        "type": names.event_type(names.ORDERS_SUBMITTED),
        "source": names.event_source("bench"),
        "subject": order_id,
        "time": now().isoformat(),
        "datacontenttype": "application/json",
        "data": {
            "order_id": order_id,
            "customer_id": "bench",
            "lines": [{"item": ITEM, "quantity": 1}],
        },
    }
