"""Print what a service registers with its sidecar, and its routes: `python edge_probe.py APP_ID`.

The service's own `main` runs with its complete wiring, until it would start to listen.
"""

import contextlib
import importlib
import json
import sys
from collections.abc import Collection

from fastapi import FastAPI

from orderflow_hosting import process
from orderflow_hosting.access.walk import must_be_guarded, routes_of
from orderflow_hosting.dapr_app import DaprApp

methods: dict[str, list[str] | None] = {}
subscriptions: dict[str, str | None] = {}
routes: dict[str, str] = {}


class Wired(BaseException):
    """Raised once everything is registered."""


def on_method(_app: DaprApp, name: str, *_: object, callers: Collection[str] | None = None) -> None:
    methods[name] = None if callers is None else sorted(callers)


def on_event(_app: DaprApp, topic: str, _deliver: object, *, dead_letter_topic: str | None) -> None:
    subscriptions[topic] = dead_letter_topic


def walk(http: FastAPI) -> None:
    must_be_guarded(http)
    for route, guard in routes_of(http).items():
        parts = ("public",) if guard is None else (guard.kind, guard.role, guard.action)
        routes[route] = " ".join(filter(None, parts))


async def start(_app: DaprApp) -> None:
    raise Wired


if __name__ == "__main__":
    for name, replacement in (
        ("on_method", on_method),
        ("on_event", on_event),
        ("start", start),
    ):
        setattr(DaprApp, name, replacement)
    vars(process)["must_be_guarded"] = walk
    with contextlib.suppress(Wired):
        importlib.import_module(f"{sys.argv[1]}.main").main()
        sys.exit("the service ended before it listened")
    json.dump({"methods": methods, "subscriptions": subscriptions, "routes": routes}, sys.stdout)
