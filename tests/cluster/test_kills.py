"""Pods die in the middle of thirty orders; every order ends once, and all records agree."""

import pytest

from cluster.pods import SIDECAR
from cluster.shop import ClusterShop
from orderflow_contracts.names import SERVICES
from system.rush import Rush

ORDERS = 30
STORES = ("redis", "postgres")
CONTROL_PLANE = ("placement", "scheduler")


@pytest.mark.parametrize("app", [*SERVICES, *STORES])
def test_orders_outlive_a_pod(shop: ClusterShop, app: str) -> None:
    """A pod and all its containers are killed, and another pod replaces it."""
    rush = Rush(shop, ORDERS)
    victim = shop.pods.victim(app)
    rush.submit_half()
    rush.wait_until_under_way()
    shop.pods.kill(victim)
    rush.submit_rest()
    shop.pods.wait_ready(app)
    rush.approve()
    rush.assert_all_sold_once()


def test_orders_outlive_a_sidecar(shop: ClusterShop) -> None:
    """Only the sidecar of orders is killed, and started again while the service keeps running."""
    rush = Rush(shop, ORDERS)
    victim = shop.pods.victim("orders")
    rush.submit_half()
    rush.wait_until_under_way()
    shop.pods.kill_container(victim, SIDECAR)
    rush.submit_rest()
    shop.pods.wait_ready("orders")
    rush.approve()
    rush.assert_all_sold_once()


def test_orders_outlive_the_control_plane(shop: ClusterShop) -> None:
    """Dapr's placement and one of its schedulers are killed, and the workflows continue."""
    rush = Rush(shop, ORDERS)
    victims = [shop.control_plane.victim(f"dapr-{each}-server") for each in CONTROL_PLANE]
    rush.submit_half()
    rush.wait_until_under_way()
    for victim in victims:
        shop.control_plane.kill(victim)
    rush.submit_rest()
    rush.approve()
    rush.assert_all_sold_once()
    shop.control_plane.wait_ready("dapr-placement-server")
    shop.control_plane.wait_ready("dapr-scheduler-server", 3)
