"""Print what a service registers with its sidecar: `python edge_probe.py APP_ID`.

The service's own `main` runs with its complete wiring, until it would start to listen.
"""

import contextlib
import importlib
import json
import sys
from collections.abc import Collection

from orderflow_hosting.dapr_app import DaprApp

methods: dict[str, list[str] | None] = {}
subscriptions: dict[str, str | None] = {}


class Wired(BaseException):
    """Raised once everything is registered."""


def on_method(_app: DaprApp, name: str, *_: object, callers: Collection[str] | None = None) -> None:
    methods[name] = None if callers is None else sorted(callers)


def on_event(_app: DaprApp, topic: str, _deliver: object, *, dead_letter_topic: str | None) -> None:
    subscriptions[topic] = dead_letter_topic


async def start(_app: DaprApp) -> None:
    raise Wired


if __name__ == "__main__":
    for name, replacement in (
        ("on_method", on_method),
        ("on_event", on_event),
        ("start", start),
    ):
        setattr(DaprApp, name, replacement)
    with contextlib.suppress(Wired):
        importlib.import_module(f"{sys.argv[1]}.main").main()
        sys.exit("the service ended before it listened")
    json.dump({"methods": methods, "subscriptions": subscriptions}, sys.stdout)
