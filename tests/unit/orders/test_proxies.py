"""A proxy in the environment is not used between a service and its own sidecar."""

import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import grpc
import pytest
from dapr.ext.workflow._durabletask.internal import orchestrator_service_pb2_grpc, shared
from google.protobuf.empty_pb2 import Empty

from orderflow_hosting.proxies import VARIABLE
from orderflow_hosting.settings import load
from orderflow_hosting.sidecar import Sidecar
from orderflow_workflow_runtime.client import DaprEngine
from orders.config import OrdersSettings

NOWHERE = "http://127.0.0.1:9"
PROXIES = ("http_proxy", "https_proxy", "grpc_proxy", "HTTP_PROXY", "HTTPS_PROXY")


class AnySidecar(grpc.GenericRpcHandler):  # type: ignore[misc] # grpc has no types
    """Answers every gRPC call with an empty message, and records the calls."""

    def __init__(self) -> None:
        self.called: list[str] = []

    def service(self, details: Any) -> Any:
        """Take any call."""
        self.called.append(details.method.rpartition("/")[2])
        return grpc.unary_unary_rpc_method_handler(lambda _request, _context: b"")


class Healthy(BaseHTTPRequestHandler):
    """The HTTP API of a healthy sidecar."""

    def do_GET(self) -> None:
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Print nothing."""


@pytest.fixture
def dapr() -> Iterator[tuple[AnySidecar, int]]:
    """Serve any gRPC call on a port of loopback."""
    handler = AnySidecar()
    server = grpc.server(ThreadPoolExecutor(4), handlers=[handler])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield handler, port
    server.stop(0).wait()


@pytest.fixture
def http_port() -> Iterator[int]:
    """Serve the sidecar's HTTP API on a port of loopback."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Healthy) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


@pytest.fixture(params=[NOWHERE, "socks5://127.0.0.1:9"], ids=["http", "socks"])
def settings(
    dapr: tuple[AnySidecar, int],
    http_port: int,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> OrdersSettings:
    """Load the settings of orders as its process does, with unreachable proxies."""
    for name in PROXIES:
        monkeypatch.setenv(name, NOWHERE)
    for name in ("all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, request.param)
    for name in ("no_proxy", "NO_PROXY", "no_grpc_proxy"):
        monkeypatch.setenv(name, "")
    monkeypatch.setenv("DAPR_GRPC_PORT", str(dapr[1]))
    monkeypatch.setenv("DAPR_HTTP_PORT", str(http_port))
    monkeypatch.setenv("APP_API_TOKEN", "a-token-for-tests")
    return load(OrdersSettings)


async def test_the_sidecar_is_reached_without_the_proxy(
    settings: OrdersSettings, dapr: tuple[AnySidecar, int]
) -> None:
    """This holds for gRPC and HTTP."""
    sidecar = Sidecar("orders", settings)

    await sidecar.check()
    await sidecar.publish_raw("orders.status", b"{}")

    assert dapr[0].called == ["PublishEvent"]
    await sidecar.close()


async def test_the_engine_is_reached_without_the_proxy(settings: OrdersSettings) -> None:
    """The SDK's workflow client opens its own channel."""
    engine = DaprEngine(settings)

    assert await engine.instance("unknown") is None

    await engine.close()


def test_the_worker_is_connected_without_the_proxy(
    settings: OrdersSettings, dapr: tuple[AnySidecar, int]
) -> None:
    """The SDK's worker opens its own channel, without which no workflow runs."""
    with shared.get_grpc_channel(settings.sidecar_grpc) as channel:
        stub: Any = orchestrator_service_pb2_grpc.TaskHubSidecarServiceStub(channel)
        stub.Hello(Empty(), timeout=5)

    assert dapr[0].called == ["Hello"]


def test_the_users_proxy_exceptions_are_kept(
    settings: OrdersSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Hosts in the environment's list of exceptions stay there."""
    monkeypatch.setenv("no_grpc_proxy", "")
    monkeypatch.setenv("no_proxy", "db.example.com,10.0.0.0/8")

    load(OrdersSettings)

    assert os.environ[VARIABLE] == f"db.example.com,10.0.0.0/8,{settings.dapr_host}"
