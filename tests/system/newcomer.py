"""A consumer of the tests' own: an application that reads one topic, and its sidecar."""

import asyncio
import json
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import yaml

from orderflow_contracts.names import ORDERS
from orderflow_hosting.dapr_app import Answer, DaprApp
from orderflow_hosting.settings import ServiceSettings
from orderflow_tools.free_ports import free_block
from orderflow_tools.platform import Platform
from orderflow_tools.ports import LOOPBACK
from orderflow_tools.supervision import processes
from system.shop import wait_for

TOKEN = "a-token-for-tests"  # noqa: S105 # it guards nothing


class Newcomer:
    """An application with an id of its own; `received` has the subjects of the events it got."""

    def __init__(self, platform: Platform, app_id: str) -> None:
        self._platform = platform
        self.app_id = app_id
        self.received: list[str] = []

    @asynccontextmanager
    async def reading(self, topic: str, **component: str) -> AsyncIterator[None]:
        """Subscribe to a topic; `component` adds metadata to the pub/sub component."""
        ports = free_block().apps[ORDERS]
        settings = ServiceSettings.model_validate(
            {
                "http_port": ports.http,
                "grpc_port": ports.grpc,
                "DAPR_HTTP_PORT": ports.dapr_http,
                "DAPR_GRPC_PORT": ports.dapr_grpc,
                "APP_API_TOKEN": TOKEN,
            }
        )
        app = DaprApp(settings)
        app.on_event(topic, self._receive, dead_letter_topic=None)
        await app.start()
        command = self._sidecar_command(ports, component)
        environment = {**self._platform.environment(), "APP_API_TOKEN": TOKEN}
        name = f"{self.app_id}-daprd"
        sidecar = processes.start(self._platform.settings, name, command, environment)
        try:
            url = f"{settings.sidecar_http}/v1.0/metadata"
            await asyncio.to_thread(wait_for, "a subscription", lambda: _has_subscribed(url, topic))
            yield
        finally:
            processes.stop(self._platform.settings, [name])
            sidecar.wait()
            await app.stop()

    async def _receive(self, raw: bytes) -> Answer:
        self.received.append(json.loads(raw)["subject"])
        return Answer.ACKNOWLEDGE

    def _sidecar_command(self, ports: Any, component: dict[str, str]) -> list[str]:
        run = self._platform.settings.run
        folder = run / f"{self.app_id}-{uuid.uuid4().hex[:8]}"
        folder.mkdir()
        document = yaml.safe_load((run / "components" / "pubsub.yaml").read_text())
        document.pop("scopes", None)  # it is for the services alone
        added = [{"name": name, "value": value} for name, value in component.items()]
        document["spec"]["metadata"] += added
        (folder / "pubsub.yaml").write_text(yaml.safe_dump(document))
        return [
            str(self._platform.runtime.daprd),
            *("--app-id", self.app_id, "--resources-path", str(folder)),
            *("--config", str(run / "components" / "configuration.yaml")),
            *("--app-port", str(ports.grpc), "--app-protocol", "grpc"),
            *("--dapr-listen-addresses", LOOPBACK),
            *("--dapr-http-port", str(ports.dapr_http), "--dapr-grpc-port", str(ports.dapr_grpc)),
            *("--dapr-internal-grpc-port", str(ports.dapr_internal_grpc)),
            *("--dapr-internal-grpc-listen-address", LOOPBACK),
            *("--metrics-port", str(ports.dapr_metrics), "--metrics-listen-address", LOOPBACK),
        ]


def _has_subscribed(url: str, topic: str) -> bool:
    try:
        metadata = httpx.get(url, trust_env=False, timeout=2).raise_for_status().json()
    except httpx.HTTPError:
        return False
    return topic in [each["topic"] for each in metadata.get("subscriptions", ())]
