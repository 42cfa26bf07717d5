"""Checks whether each part of the platform can do its work."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import httpx

from orderflow_contracts.names import PUBSUB, SUBSCRIPTIONS
from orderflow_tools.brokers.chosen import servers_of
from orderflow_tools.brokers.server import Server
from orderflow_tools.ports import LOOPBACK
from orderflow_tools.settings import APPS, Settings

TIMEOUT: Final = 2.0
"""Seconds to wait for one answer."""


@dataclass(frozen=True)
class Check:
    """One part that must be ready: its title, the process to blame, and how to ask.

    `ask` returns None if the part is ready, and otherwise the reason in words.
    """

    title: str
    process: str
    ask: Callable[[], str | None]


def control_plane_checks(settings: Settings, client: httpx.Client) -> Iterator[Check]:
    """Yield the checks of everything that must run before `dapr run`."""
    ports = settings.ports.control

    for server in servers_of(settings):
        yield Check(f"{server.name} on port {server.port}", server.name, _serving(server))
    for name, port, health in (
        ("placement", ports.placement, ports.placement_health),
        ("scheduler", ports.scheduler, ports.scheduler_health),
    ):
        url = f"http://{LOOPBACK}:{health}/healthz"
        yield Check(f"{name} on port {port}", name, _answering(client, url))


def app_checks(settings: Settings, client: httpx.Client) -> Iterator[Check]:
    """Yield the checks of the sidecars and the services."""
    for app in APPS:
        url = f"{settings.sidecar_url(app)}/v1.0/healthz"
        yield Check(f"{app}: sidecar", f"{app}-daprd", _answering(client, url))
    for app in APPS:
        if SUBSCRIPTIONS[app]:
            ask = _subscribed(client, settings, app)
            yield Check(f"{app}: subscriptions", f"{app}-daprd", ask)
    for app in APPS:
        yield Check(f"{app}: service, {settings.url(app)}", app, _ready(client, settings, app))


def all_checks(settings: Settings, client: httpx.Client) -> list[Check]:
    """Return every check, in the order in which the parts become ready."""
    return [*control_plane_checks(settings, client), *app_checks(settings, client)]


def client() -> httpx.Client:
    """Return a client for loopback, which ignores the proxies of the user's environment."""
    return httpx.Client(timeout=TIMEOUT, trust_env=False)


def _serving(server: Server) -> Callable[[], str | None]:
    return lambda: None if server.is_serving() else "it does not answer"


def _answering(client: httpx.Client, url: str) -> Callable[[], str | None]:
    def ask() -> str | None:
        try:
            answer = client.get(url)
        except httpx.HTTPError as error:
            return f"{url} does not answer ({type(error).__name__})"
        return None if answer.is_success else f"{url} answers {answer.status_code}"

    return ask


def _subscribed(client: httpx.Client, settings: Settings, app: str) -> Callable[[], str | None]:
    url = f"{settings.sidecar_url(app)}/v1.0/metadata"

    def ask() -> str | None:
        try:
            subscriptions = client.get(url).json().get("subscriptions", [])
        except (httpx.HTTPError, ValueError) as error:
            return f"{url} does not answer ({type(error).__name__})"
        topics = {item["topic"] for item in subscriptions if item["pubsubname"] == PUBSUB}
        missing = set(SUBSCRIPTIONS[app]) - topics
        return f"not subscribed to {', '.join(sorted(missing))}" if missing else None

    return ask


def _ready(client: httpx.Client, settings: Settings, app: str) -> Callable[[], str | None]:
    url = f"{settings.url(app)}/readyz"

    def ask() -> str | None:
        try:
            answer = client.get(url)
            state = answer.json()
        except (httpx.HTTPError, ValueError) as error:
            return f"{url} does not answer ({type(error).__name__})"
        if answer.is_success and state.get("ready"):
            return None
        checks = state.get("checks", {}).items()
        return (
            "; ".join(f"{name}: {result}" for name, result in checks if result != "ok")
            or "not ready"
        )

    return ask
