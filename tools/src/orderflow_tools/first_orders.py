"""The first two orders of a run: a small one that goes through, and one that waits for a person."""

import secrets
import time
from typing import Final

import httpx

from orderflow_contracts.names import ORDERS, ORDERS_SUBMITTED, PUBSUB
from orderflow_tools.console import say
from orderflow_tools.errors import PlatformError
from orderflow_tools.settings import Settings

FINAL: Final = frozenset({"completed", "rejected", "cancelled", "failed", "needs_attention"})
TIMEOUT: Final = 30.0
"""Seconds within which each of the two must have got where it is shown."""


def show_first_orders(settings: Settings, client: httpx.Client) -> str:
    """Publish both orders, show their way, and return the id of the one that waits."""
    run = secrets.token_hex(3)
    small, large = f"first-{run}-small", f"first-{run}-large"
    _show(settings, client, small, "paperclip", 2, until=FINAL)
    _show(settings, client, large, "cars", 4, until=FINAL | {"awaiting_approval"})
    return large


def _show(
    settings: Settings,
    client: httpx.Client,
    order_id: str,
    item: str,
    quantity: int,
    *,
    until: frozenset[str],
) -> None:
    say(f"  order {order_id}: {quantity} {item}")
    begun = time.monotonic()
    event = {"order_id": order_id, "customer_id": "you", "item": item, "quantity": quantity}
    url = f"{settings.sidecar_url(ORDERS)}/v1.0/publish/{PUBSUB}/{ORDERS_SUBMITTED}"
    client.post(url, json=event).raise_for_status()
    shown = 0
    while True:
        history = _history(settings, client, order_id)
        for change in history[shown:]:
            reason = f" ({change['reason']})" if change.get("reason") else ""
            say(f"    {change['status']:<42} {time.monotonic() - begun:5.2f} s{reason}")
        shown = len(history)
        if history and history[-1]["status"] in until:
            return
        if time.monotonic() - begun > TIMEOUT:
            last = history[-1]["status"] if history else "unknown to orders"
            raise PlatformError(
                f"Order {order_id} is still {last} after {TIMEOUT:.0f} s. "
                f"Look into orders.log and orders-daprd.log in {settings.logs}."
            )
        time.sleep(0.01)


def _history(
    settings: Settings, client: httpx.Client, order_id: str
) -> list[dict[str, str | None]]:
    answer = client.get(f"{settings.url(ORDERS)}/orders/{order_id}")
    if answer.status_code == httpx.codes.NOT_FOUND:
        return []
    answer.raise_for_status()
    history: list[dict[str, str | None]] = answer.json()["history"]
    return history
