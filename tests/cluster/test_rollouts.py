"""Rollouts and several replicas do not lose an order."""

from collections.abc import Iterator

import pytest

from cluster.probing import Probing
from cluster.shop import ClusterShop
from orderflow_contracts.names import SERVICES
from system.rush import Rush

ORDERS = 30
DEPLOYMENTS = tuple(f"deployment/{app}" for app in SERVICES)


@pytest.fixture
def two_of_each(shop: ClusterShop) -> Iterator[None]:
    """Run two pods of each service; production runs three."""
    scale(shop, 2)
    yield
    scale(shop, 1)


def test_a_rolling_restart_loses_no_order(shop: ClusterShop) -> None:
    """All services are restarted under load, with one pod each."""
    rush = Rush(shop, ORDERS)
    rush.submit_half()
    restart(shop)
    rush.submit_rest()
    rush.approve()
    wait_for_rollout(shop)
    rush.assert_all_sold_once()


@pytest.mark.usefixtures("two_of_each")
def test_replicas_share_the_work_and_answer_during_a_restart(shop: ClusterShop) -> None:
    """With two pods each, every order ends once, and every request is answered."""
    paths = {
        "orders": "/orders?limit=1",
        "inventory": "/stock",
        "approvals": "/approvals?status=pending",
    }
    assert paths.keys() == SERVICES.keys()
    rush = Rush(shop, ORDERS)
    urls = [shop.url(app, path) for app, path in paths.items()]
    with Probing(urls, shop.credential) as people:
        rush.submit_half()
        restart(shop)
        rush.submit_rest()
        rush.approve()
        wait_for_rollout(shop)
        rush.assert_all_sold_once()
    assert people.failures == []
    assert min(people.answered.values()) > 20, people.answered


def restart(shop: ClusterShop) -> None:
    shop.client.run("rollout", "restart", "-n", "orderflow", *DEPLOYMENTS)


def wait_for_rollout(shop: ClusterShop) -> None:
    for name in DEPLOYMENTS:
        shop.client.run("rollout", "status", "-n", "orderflow", name, "--timeout=180s")


def scale(shop: ClusterShop, count: int) -> None:
    shop.client.run("scale", "-n", "orderflow", f"--replicas={count}", *DEPLOYMENTS)
    for app in SERVICES:
        shop.pods.wait_ready(app, count)
