"""The proxy in the environment is used for remote services, and not for this machine."""

from collections.abc import Iterator
from dataclasses import replace

import httpx
import pytest

from fakes.shop import Shop
from fakes.shop_server import serving
from fakes.workflow_server import ManagedWorkflows
from orderflow_cli.client import Orderflow
from orderflow_cli.errors import OrderflowError
from orderflow_cli.proxies import open_client
from orderflow_cli.settings import Settings

NOWHERE = "http://127.0.0.1:9"
TIMEOUT = httpx.Timeout(5)


def set_proxies(monkeypatch: pytest.MonkeyPatch, proxy: str) -> None:
    """Set a proxy for all protocols."""
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, proxy)
        monkeypatch.setenv(name.upper(), proxy)
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.setenv(name, "")


@pytest.fixture
def proxy() -> Iterator[str]:
    """Serve a shop that, used as a proxy, answers for any host."""
    with serving(Shop(), ManagedWorkflows()) as behind:
        yield behind.orders_url.removesuffix("/orders")


@pytest.mark.parametrize("dead", [NOWHERE, "socks5://127.0.0.1:9", "no proxy at all"])
def test_local_services_are_called_without_the_proxy(
    settings: Settings, dead: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Requests and the feed ignore the proxy, whatever it is."""
    set_proxies(monkeypatch, dead)

    with Orderflow(settings) as flow, flow.statuses():
        assert flow.orders() == []


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_local_service_beside_a_remote_one_is_called_without_the_proxy(
    settings: Settings, host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The proxy is chosen for each address."""
    set_proxies(monkeypatch, NOWHERE)
    near = httpx.URL(settings.orders_url).copy_with(host=host)
    mixed = replace(settings, orders_url=str(near), approvals_url="http://approvals.example.com")

    with Orderflow(mixed) as flow:
        assert flow.orders() == []


def test_a_remote_service_is_called_through_the_proxy(
    proxy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command works in networks where only the proxy has access."""
    set_proxies(monkeypatch, proxy)

    with open_client(TIMEOUT, "http://orders.example.com") as http:
        answer = http.get("http://orders.example.com/orders/orders")

    assert answer.status_code == 404  # the fake received the request, and has no such host


def test_an_unusable_proxy_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names the variables to check."""
    set_proxies(monkeypatch, "socks5://127.0.0.1:9")

    with pytest.raises(OrderflowError, match=r"HTTP_PROXY.*ALL_PROXY.*NO_PROXY"):
        open_client(TIMEOUT, "http://orders.example.com")
