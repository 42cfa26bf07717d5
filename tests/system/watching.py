"""A shop that sees the published statuses through a sidecar, as a subscriber on any broker does."""

import contextlib
import json
import threading
from queue import SimpleQueue
from typing import Any

import grpc
from dapr.proto import api_service_v1, api_v1

from orderflow_contracts.names import ORDERS, ORDERS_STATUS, PUBSUB
from orderflow_tools.platform import Platform
from orderflow_tools.ports import LOOPBACK
from system.shop import Shop, wait_for


class WatchedShop(Shop):
    """A shop with a subscriber of its own to the statuses, on the sidecar of orders."""

    def __init__(self, platform: Platform) -> None:
        super().__init__(platform)
        self._events: list[dict[str, Any]] = []
        port = platform.settings.ports.apps[ORDERS].dapr_grpc
        self._channel = grpc.insecure_channel(f"{LOOPBACK}:{port}")
        self._subscribed, self._closed = threading.Event(), threading.Event()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        wait_for("the subscription", self._subscribed.is_set)

    def close(self) -> None:
        """End the subscription and close the connections."""
        self._closed.set()
        self._channel.close()
        self._reader.join(30)
        super().close()

    def stream(self, topic: str) -> list[dict[str, Any]]:
        """Return the statuses in the order of their arrival, with repeated ones."""
        assert topic == ORDERS_STATUS
        return self._events.copy()

    def _read(self) -> None:
        while not self._closed.is_set():
            # The sidecar may have been restarted, and takes a moment.
            with contextlib.suppress(grpc.RpcError):
                self._subscribe()
            self._closed.wait(0.2)

    def _subscribe(self) -> None:
        """Receive until the connection ends."""
        requests: SimpleQueue[Any] = SimpleQueue()
        first = api_v1.SubscribeTopicEventsRequestInitialAlpha1(
            pubsub_name=PUBSUB, topic=ORDERS_STATUS, metadata={"rawPayload": "true"}
        )
        requests.put(api_v1.SubscribeTopicEventsRequestAlpha1(initial_request=first))
        stub: Any = api_service_v1.DaprStub
        replies = stub(self._channel).SubscribeTopicEventsAlpha1(iter(requests.get, None))
        try:
            for reply in replies:
                if reply.HasField("initial_response"):
                    self._subscribed.set()
                    continue
                self._events.append(json.loads(reply.event_message.data))
                requests.put(_acknowledgement(reply.event_message.id))
        finally:
            requests.put(None)


def _acknowledgement(event_id: str) -> Any:
    status = api_v1.TopicEventResponse(status=api_v1.TopicEventResponse.SUCCESS)
    done = api_v1.SubscribeTopicEventsRequestProcessedAlpha1(id=event_id, status=status)
    return api_v1.SubscribeTopicEventsRequestAlpha1(event_processed=done)
