"""The lifecycle of an order in the cluster, seen from outside."""

from cluster.shop import ClusterShop
from system.storefront import assert_records_agree, new_id, wait_for


def test_a_published_order_completes(shop: ClusterShop) -> None:
    """An outside publisher's event becomes an order that completes."""
    shop.restock()
    order = shop.wait_final(shop.submit("paperclip", 3))
    assert (order["status"], order["total_cents"]) == ("completed", 15_00)
    wait_for(
        "all statuses to be published",
        lambda: len(shop.published_statuses(order["order_id"])) == order["sequence"],
    )
    assert_records_agree(shop, [order])


def test_an_event_by_the_sidecar_of_orders_completes(shop: ClusterShop) -> None:
    """The services' own broker component uses the same streams."""
    data = shop.order_data(new_id())
    answer = shop.call_sidecar("orders", "/v1.0/publish/pubsub/orders.submitted", data)
    assert answer.status_code == 204, answer.text
    assert shop.wait_final(data["order_id"])["status"] == "completed"


def test_a_large_order_is_approved(shop: ClusterShop) -> None:
    """An order posted over HTTP waits for approval, which is given over HTTP."""
    data = shop.order_data(new_id(), "cars", 4)
    posted = shop.http.post(shop.url("orders", "/orders"), json=data)
    assert posted.status_code == 202, posted.text
    order_id = data["order_id"]
    shop.wait_status(order_id, "awaiting_approval")
    shop.wait_approval(order_id, "pending")
    assert shop.decide(order_id, approved=True).status_code == 200
    assert shop.wait_final(order_id)["status"] == "completed"


def test_a_large_order_is_denied(shop: ClusterShop) -> None:
    """A denied order is rejected, and its stock is released."""
    before = shop.stock("cars")
    order_id = shop.submit("cars", 5)
    shop.wait_approval(order_id, "pending")
    assert shop.decide(order_id, approved=False).status_code == 200
    order = shop.wait_final(order_id)
    assert (order["status"], order["reason"]) == ("rejected", "denied")
    assert shop.stock("cars") == before
    assert shop.payments(order_id) == []
