"""Each process is killed while fifty orders run, then restarted; nothing is lost."""

import time
from collections.abc import Iterator

import pytest

from orderflow_tools.platform import Platform
from system.rush import Rush
from system.shop import Shop
from system.stores import Isolated

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

LONGEST_WAIT = 15.0
"""Seconds; two or three are usual, and more than 20 if the next scheduler waits for the lease."""


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, isolated: Isolated) -> Iterator[Shop]:
    """Run a platform that these tests may damage."""
    with Platform(isolated(tmp_path_factory.mktemp("damaged"))) as running:
        shop = Shop(running)
        yield shop
        shop.close()


@pytest.mark.parametrize("process", PROCESSES)
def test_every_order_ends_once_whatever_is_killed(shop: Shop, process: str) -> None:
    """Each order reaches exactly one final status; stock and payments agree."""
    platform = shop.platform
    rush = Rush(shop, 50)
    rush.submit_half()
    former = platform.kill(process)
    rush.submit_rest()
    platform.wait_for_restart(process, former)
    rush.approve()
    platform.wait_until_ready()
    rush.assert_all_sold_once()


def test_a_killed_scheduler_holds_no_order_up(shop: Shop) -> None:
    """Orders end long before the lease of the dead scheduler expires."""
    platform = shop.platform
    in_flight = [shop.submit() for _ in range(5)]
    platform.wait_for_restart("scheduler", platform.kill("scheduler"))
    # This one dies before it can become the leader: the key in etcd is still that of the first.
    former = platform.kill("scheduler")
    killed = time.monotonic()
    platform.wait_for_restart("scheduler", former)
    for order_id in (*in_flight, shop.submit()):
        remaining = killed + LONGEST_WAIT - time.monotonic()
        assert shop.wait_final(order_id, remaining)["status"] == "completed"


def test_data_survives_a_restart_of_the_platform(
    tmp_path_factory: pytest.TempPathFactory, isolated: Isolated
) -> None:
    """A waiting order goes on after the whole platform was stopped and started."""
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
