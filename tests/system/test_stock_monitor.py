"""Stock monitors on the real platform: one for each item, one alert for each shortage."""

from typing import Any

import pytest

from system.shop import Shop, wait_for
from system.workflows import Workflows, expect, restart_orders

MONITOR = "stock-monitor.cars"
SLOW = {"ORDERS_STOCK_CHECK_SECONDS": "3600", "ORDERS_LOW_STOCK_CHECK_SECONDS": "3600"}

pytestmark = pytest.mark.parametrize("own_shop", [SLOW], indirect=True)


def alerts(shop: Shop) -> list[dict[str, Any]]:
    """Return the alerts about cars."""
    events = shop.stream("inventory.low-stock")
    return [event for event in events if event["data"]["item"] == "cars"]


def check_now(shop: Shop, expected: int) -> None:
    """Make the monitor check, and wait until it has seen this many available."""
    workflows = Workflows(shop)
    expect(workflows.post(f"/{MONITOR}/raise_event/check_now"), 202)

    def seen() -> bool:
        status = workflows.get(f"/{MONITOR}/status").json()["custom_status"]
        return isinstance(status, dict) and status["available"] == expected

    wait_for(f"the monitor to see {expected}", seen)


def buy(shop: Shop, quantity: int) -> None:
    order_id = shop.submit("cars", quantity, "alice")
    shop.wait_approval(order_id, "pending")
    shop.decide(order_id, approved=True)
    assert shop.wait_final(order_id)["status"] == "completed"


def test_it_alerts_once_and_again_after_recovery(own_shop: Shop) -> None:
    """A restart in between causes no second alert."""
    shop = own_shop
    check_now(shop, 100)
    assert alerts(shop) == []

    buy(shop, 91)
    check_now(shop, 9)
    (alert,) = wait_for("an alert", lambda: alerts(shop))
    assert alert["data"] == {"item": "cars", "available": 9, "threshold": 10}
    assert (alert["type"], alert["source"], alert["subject"]) == (
        "com.orderflow.inventory.low-stock.v1",
        "/orderflow/orders",
        "cars",
    )

    buy(shop, 4)
    restart_orders(shop.platform)
    check_now(shop, 5)
    assert len(alerts(shop)) == 1

    shop.restock("cars", 50)
    check_now(shop, 55)
    buy(shop, 50)
    check_now(shop, 5)
    wait_for("a second alert", lambda: len(alerts(shop)) == 2)

    workflows = Workflows(shop)
    listed = workflows.get("", name="stock_monitor_workflow").json()["items"]
    assert [entry["instance_id"] for entry in listed] == [
        "stock-monitor.cars",
        "stock-monitor.computers",
        "stock-monitor.paperclip",
    ]
    history = workflows.get(f"/{MONITOR}/history").json()["items"]
    assert len(history) < 30, "each round starts a new history"


def test_only_the_service_can_start_a_monitor(own_shop: Shop) -> None:
    """Neither a second monitor nor another workflow can take its id."""
    workflows = Workflows(own_shop)
    started = workflows.post("/stock_monitor_workflow/start", {"item": "cars"})
    expect(started, 409)
    taken = workflows.post("/never_ending_workflow/start", 1, instance_id="stock-monitor.tea")
    expect(taken, 422, "INVALID_INPUT")
