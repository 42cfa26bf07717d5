"""An order is processed once, however often its event is delivered."""

from typing import Any

from system.shop import FINAL, Shop, assert_records_agree, new_id, wait_for


def publish_a_hundred_times(shop: Shop, data: dict[str, Any]) -> None:
    codes = shop.at_once(lambda _: shop.publish("orders.submitted", data).status_code, range(100))
    assert set(codes) == {204}


def test_hundreds_of_duplicates_are_processed_once_even_after_a_purge(shop: Shop) -> None:
    """One charge, one stock change and one final status, even after the history is purged."""
    data = shop.order_data(new_id("dup"), "computers", 7)
    order_id = data["order_id"]
    publish_a_hundred_times(shop, data)
    before = shop.wait_final(order_id)
    publish_a_hundred_times(shop, data)
    sidecar = shop.platform.sidecar_url("orders")

    def purged() -> bool:
        response = shop.http.post(f"{sidecar}/v1.0/workflows/dapr/{order_id}/purge")
        return response.status_code == 202

    wait_for("the history to be purged", purged)
    publish_a_hundred_times(shop, data)
    wait_for("all duplicates to be handled", lambda: shop.all_acknowledged("orders.submitted"))
    gone = shop.http.get(f"{sidecar}/v1.0/workflows/dapr/{order_id}")
    assert gone.status_code == 404, gone.text
    after = shop.order(order_id)
    assert after == before
    assert shop.payments(order_id) == [("charge", 7 * 500_00)]
    assert shop.stock("computers")["on_hand"] == 93
    assert sum(d["status"] in FINAL for d in shop.published_statuses(order_id)) == 1
    assert_records_agree(shop, [before])


def test_the_same_id_with_other_content_becomes_a_dead_letter(shop: Shop) -> None:
    """A second order under the same id changes nothing."""
    order_id = new_id("same")
    shop.publish("orders.submitted", shop.order_data(order_id, quantity=1))
    order = shop.wait_final(order_id)
    shop.publish("orders.submitted", shop.order_data(order_id, quantity=2))
    dead_letter = wait_for(
        "the dead letter", lambda: shop.dead_letters("orders", order_id=order_id)
    )[0]
    assert "other content" in dead_letter["reason"]
    assert shop.order(order_id) == order
    assert shop.payments(order_id) == [("charge", 5_00)]
    wait_for(
        "the event on the dead-letter topic",
        lambda: [e for e in shop.stream("orders.submitted.dead") if order_id in str(e)],
    )


def test_three_hundred_orders_compete_for_a_hundred_cars(shop: Shop) -> None:
    """Under contention each car is sold once, and every order ends."""
    shop.restock()
    ids = [new_id("rush") for _ in range(300)]
    shop.at_once(
        lambda order_id: shop.publish("orders.submitted", shop.order_data(order_id, "cars", 1)),
        ids,
    )
    orders = shop.wait_all_final(ids, timeout=180)
    ends = [(order["status"], order["reason"]) for order in orders]
    assert ends.count(("completed", None)) == 100
    assert ends.count(("rejected", "out_of_stock")) == 200
    stock = shop.stock("cars")
    assert (stock["on_hand"], stock["reserved"], stock["available"]) == (0, 0, 0)
    wait_for(
        "every final status to be published",
        lambda: (
            {e["subject"] for e in shop.stream("orders.status") if e["data"]["status"] in FINAL}
            >= set(ids)
        ),
    )
    assert_records_agree(shop, orders)
