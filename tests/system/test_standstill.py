"""The worker's connection to its sidecar breaks in the middle of its work."""

import shlex
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import httpx
import pytest

from orderflow_contracts.names import ORDERS
from orderflow_tools.platform import Platform
from orderflow_tools.settings import Settings
from system.cut import Way
from system.shop import Shop, new_id, wait_for
from system.stores import Isolated

CUTS = 12
"""Every second cut or so comes at a moment when the sidecar has work that nobody has received."""
STILL_SECONDS = 1.0
"""A sidecar that hosts no workflows for so long does not begin again by itself."""
FREED_SECONDS = 60.0
"""It takes five seconds on a machine that has nothing else to do."""


class LedSettings(Settings):
    """A run whose service orders comes to its sidecar by another way."""

    @property
    def python(self) -> str:
        """A program that stands for Python, and tells orders of another port of its sidecar."""
        return str(self.home / "led-python")


def lead(settings: Settings, way: Way) -> Settings:
    """Return the same run with orders led by the way."""
    led = LedSettings(
        root=settings.root,
        home=settings.home,
        ports=settings.ports,
        databases=settings.databases,
    )
    settings.home.mkdir(exist_ok=True)
    program = Path(led.python)
    program.write_text(
        f'#!/bin/sh\n[ "$2" = orders ] && export DAPR_GRPC_PORT={way.port}\n'
        f'exec {shlex.quote(settings.python)} "$@"\n'
    )
    program.chmod(0o755)
    return led


@pytest.fixture
def way_and_shop(tmp_path: Path, isolated: Isolated) -> Iterator[tuple[Way, Shop]]:
    settings = isolated(tmp_path / "platform")
    with Way(settings.ports.apps[ORDERS].dapr_grpc) as way, Platform(lead(settings, way)) as run:
        shop = Shop(run)
        yield way, shop
        shop.close()


def stands_still(shop: Shop) -> bool:
    """Tell whether the service says that its sidecar runs no workflows."""
    try:
        checks = shop.http.get(shop.url("orders", "/readyz")).json()["checks"]
    except httpx.HTTPError:
        return False
    return bool(checks["workflow_worker"] == "the sidecar hosts no workflows")


def comes_to_a_standstill(shop: Shop) -> bool:
    """Tell whether the sidecar stands still for a while in the moments after a cut."""
    began, since = time.monotonic(), None
    while (now := time.monotonic()) < began + 3 * STILL_SECONDS:
        since = (since or now) if stands_still(shop) else None
        if since is not None and now - since > STILL_SECONDS:
            return True
        time.sleep(0.05)
    return False


def submit_batch(shop: Shop) -> str:
    """Publish fifty orders as a batch and return its id."""
    shop.restock("paperclip", 50)
    batch_id = new_id("cut")
    orders = [shop.order_data(new_id("cut")) for _ in range(50)]
    data = {"batch_id": batch_id, "orders": orders}
    assert shop.publish("orders.batch-submitted", data).status_code == 204
    return batch_id


def are_completed(shop: Shop, batch_id: str, orders: int) -> bool:
    """Tell whether so many orders of a batch are completed."""
    response = shop.http.get(shop.url("orders", f"/batches/{batch_id}"))
    return response.is_success and response.json()["counts"].get("completed", 0) >= orders


@pytest.mark.timeout(600)
def test_a_sidecar_that_stands_still_is_freed(way_and_shop: tuple[Way, Shop]) -> None:
    """It waits for a worker that it does not let in; soon it does, and no order is lost or torn."""
    way, shop = way_and_shop
    for _ in range(CUTS):
        batch_id = submit_batch(shop)
        wait_for("some orders to be done", partial(are_completed, shop, batch_id, 3))
        way.cut()
        stood_still = comes_to_a_standstill(shop)
        if stood_still:
            wait_for("the sidecar to go on", lambda: not stands_still(shop), FREED_SECONDS)
        wait_for("the other orders", partial(are_completed, shop, batch_id, 50), 180)
        if stood_still:
            return
    pytest.fail(f"the sidecar did not stand still after any of {CUTS} cuts")
