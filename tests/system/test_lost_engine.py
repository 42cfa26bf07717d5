"""The engine's store is lost, or restored from a backup older than the orders' tables."""

import signal
from functools import partial

import httpx
import pytest

from system.shop import Shop, assert_records_agree, wait_for


def lose_workflow(shop: Shop, order_id: str) -> None:
    """Delete the engine's data of an order's workflow, and restart orders."""
    platform = shop.platform
    keys = [key for key in shop.broker.keys("*dapr.internal*") if order_id.encode() in key]
    assert keys
    former = {name: platform.kill(name) for name in ("orders", "orders-daprd")}
    shop.broker.delete(*keys)
    for name, pid in former.items():
        platform.wait_for_restart(name, pid)


def test_an_order_awaiting_approval_survives_a_lost_workflow(own_shop: Shop) -> None:
    """The order is started again, and the decision on it counts."""
    order_id = own_shop.submit("cars", 4)
    deadline = own_shop.wait_approval(order_id, "pending")["expires_at"]

    lose_workflow(own_shop, order_id)
    wait_for(
        "the new run to wait", lambda: (own_shop.approval(order_id) or {})["expires_at"] > deadline
    )
    assert own_shop.decide(order_id, approved=True).status_code == 200

    ended = own_shop.wait_final(order_id)
    assert ended["status"] == "completed"
    assert_records_agree(own_shop, [ended])
    assert not own_shop.dead_letters("approvals")


@pytest.mark.parametrize("ending", ["completed", "cancelled"])
def test_a_paid_order_with_a_lost_workflow_is_not_charged_twice(
    own_shop: Shop, ending: str
) -> None:
    """The earlier decision is used again; if the order is cancelled, the payment is refunded."""
    order_id = own_shop.submit("cars", 4)
    own_shop.wait_approval(order_id, "pending")
    own_shop.platform.kill("inventory", signal.SIGSTOP)
    assert own_shop.decide(order_id, approved=True).status_code == 200
    own_shop.wait_status(order_id, "paid")
    if ending == "cancelled":
        url = own_shop.url("orders", f"/orders/{order_id}/cancel")
        assert own_shop.http.post(url).status_code == 202

    lose_workflow(own_shop, order_id)
    own_shop.platform.kill("inventory", signal.SIGCONT)

    ended = own_shop.wait_final(order_id)
    assert ended["status"] == ending
    assert_records_agree(own_shop, [ended])
    assert own_shop.stock("cars")["on_hand"] == (96 if ending == "completed" else 100)
    assert own_shop.stock("cars")["reserved"] == 0
    assert not own_shop.dead_letters("approvals")


@pytest.mark.parametrize("own_shop", [{"ORDERS_PICKING": "awaited"}], indirect=True)
def test_the_task_of_a_lost_run_is_withdrawn(own_shop: Shop) -> None:
    """If the second run is cancelled before its task, the first run's task is withdrawn."""
    order_id = own_shop.submit("cars", 2)
    task_url = own_shop.url("orders", f"/tasks/pick-{order_id}")
    cancel_url = own_shop.url("orders", f"/orders/{order_id}/cancel")

    def has_status(status: str) -> bool:
        answer = own_shop.http.get(task_url)
        return bool(answer.is_success and answer.json()["status"] == status)

    def is_cancelling() -> bool:
        try:
            return own_shop.http.post(cancel_url).status_code == 202
        except httpx.TransportError:  # orders is starting
            return False

    wait_for("the task to be assigned", partial(has_status, "assigned"))
    own_shop.platform.kill("inventory", signal.SIGSTOP)
    lose_workflow(own_shop, order_id)
    wait_for("the cancellation", is_cancelling)
    own_shop.platform.kill("inventory", signal.SIGCONT)

    ended = own_shop.wait_final(order_id)
    assert ended["status"] == "cancelled"
    wait_for("the task to be withdrawn", partial(has_status, "withdrawn"))
    assert_records_agree(own_shop, [ended])
    assert own_shop.stock("cars")["available"] == 100
