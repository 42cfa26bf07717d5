"""Each process is killed in the middle of fifty orders and started again; nothing is lost."""

from collections.abc import Iterator
from typing import Any

import pytest

from orderflow_tools.platform import Platform
from system.shop import FINAL, Shop, assert_books_agree, new_id, wait_for
from system.stores import Isolated

LARGE_EVERY = 10
"""Each so many-th order is large and waits for a decision."""

PROCESSES = (
    "orders",
    "inventory",
    "approvals",
    "orders-daprd",
    "inventory-daprd",
    "approvals-daprd",
    "broker",
    "scheduler",
    "placement",
)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, isolated: Isolated) -> Iterator[Shop]:
    """Run a platform that may be hurt."""
    with Platform(isolated(tmp_path_factory.mktemp("hurt"))) as running:
        shop = Shop(running)
        yield shop
        shop.close()


def fifty_orders(shop: Shop) -> list[dict[str, Any]]:
    return [
        shop.order_data(new_id("kill"), "cars", 4)
        if number % LARGE_EVERY == 0
        else shop.order_data(new_id("kill"), "paperclip", 1)
        for number in range(50)
    ]


def approve_as_they_come(shop: Shop, ids: list[str]) -> None:
    """Approve large orders as a patient manager does, until the decision is acknowledged."""
    for order_id in ids:

        def decided(order_id: str = order_id) -> bool:
            approval = shop.approval(order_id)
            if approval is None:
                return False
            try:
                return shop.decide(order_id, approved=True).status_code == 200
            except OSError:
                return False
            except Exception as error:
                if "httpx" in type(error).__module__:
                    return False
                raise

        wait_for(f"{order_id} to be approved", decided, 120)


@pytest.mark.parametrize("process", PROCESSES)
def test_every_order_ends_once_whatever_is_killed(shop: Shop, process: str) -> None:
    """Every order reaches exactly one final status, and stock and payments agree with them."""
    platform = shop.platform
    shop.restock()
    before = {item: shop.stock(item)["on_hand"] for item in ("cars", "paperclip")}
    orders = fifty_orders(shop)
    large = [data["order_id"] for data in orders if data["lines"][0]["item"] == "cars"]
    shop.at_once(shop.submit_stubbornly, orders[:25], threads=8)
    former = platform.kill(process)
    shop.at_once(shop.submit_stubbornly, orders[25:], threads=8)
    platform.wait_for_restart(process, former)
    approve_as_they_come(shop, large)
    ended = shop.wait_all_final([data["order_id"] for data in orders], timeout=180)
    platform.wait_until_ready()
    ends = {(order["status"], order["reason"]) for order in ended}
    assert ends == {("completed", None)}, ends
    sold = {"cars": 4 * len(large), "paperclip": 50 - len(large)}
    for item, quantity in sold.items():
        stock = shop.stock(item)
        assert (before[item] - stock["on_hand"], stock["reserved"]) == (quantity, 0), stock
    told_final(shop, [order["order_id"] for order in ended])
    assert_books_agree(shop, ended)
    for order_id in large:
        assert shop.wait_approval(order_id, "approved")["approver"] == "mallory"
    assert not [x for x in shop.dead_letters("orders") if "kill-" in str(x["data"])]


def told_final(shop: Shop, ids: list[str]) -> None:
    """Wait until every final status is on the topic."""

    def all_told() -> bool:
        told = {e["subject"] for e in shop.stream("orders.status") if e["data"]["status"] in FINAL}
        return told >= set(ids)

    wait_for("every final status to be told", all_told)


def test_data_survives_a_stop_and_a_start(
    tmp_path_factory: pytest.TempPathFactory, isolated: Isolated
) -> None:
    """A waiting order goes on after everything was stopped and started again."""
    settings = isolated(tmp_path_factory.mktemp("again"))
    with Platform(settings) as platform:
        shop = Shop(platform)
        order_id = shop.submit("cars", 4)
        done = shop.wait_final(shop.submit())["order_id"]
        shop.wait_status(order_id, "awaiting_approval")
        shop.wait_approval(order_id, "pending")
        shop.close()
    with Platform(settings) as platform:
        shop = Shop(platform)
        assert shop.decide(order_id, approved=True).status_code == 200
        assert shop.wait_final(order_id)["status"] == "completed"
        assert shop.order(done)["status"] == "completed"  # type: ignore[index]
        assert shop.stock("cars")["on_hand"] == 96
        shop.close()
