"""An order cannot have the id of a workflow that an operator started, and gets it after a purge."""

import signal
from typing import Any

import httpx

from system.shop import Shop, new_id, wait_for
from system.workflows import HELLO, Workflows, expect


def place(shop: Shop, data: dict[str, Any]) -> httpx.Response:
    """Place an order over HTTP."""
    return shop.http.post(shop.url("orders", "/orders"), json=data)


def refused(shop: Shop, order_id: str, letters: int) -> list[dict[str, Any]]:
    """Wait for this many dead letters of an order and return them."""

    def look() -> list[dict[str, Any]] | None:
        found = shop.dead_letters("orders", order_id=order_id)
        return found if len(found) == letters else None

    return wait_for(f"{letters} dead letters of {order_id}", look)


def test_an_id_is_either_an_orders_or_another_workflows(shop: Shop) -> None:
    """It is refused over HTTP, by event and in a batch, also while the sidecar hangs."""
    workflows = Workflows(shop)
    shop.restock()
    order_id, other = workflows.start_hello(), new_id()
    data = shop.order_data(order_id, "paperclip", 2)

    expect(place(shop, data), 409, "ID_TAKEN")
    assert shop.order(order_id) is None
    shop.platform.kill("orders-daprd", signal.SIGSTOP)
    try:
        expect(place(shop, data), 409, "ID_TAKEN")
    finally:
        shop.platform.kill("orders-daprd", signal.SIGCONT)
    shop.platform.wait_until_ready()

    shop.submit_until_accepted(data)
    refused(shop, order_id, 1)
    batch_id = new_id("batch")
    batch = {"batch_id": batch_id, "orders": [data, shop.order_data(other)]}
    assert shop.publish("orders.batch-submitted", batch).status_code == 204
    assert all(letter["reason"].startswith("id_taken: ") for letter in refused(shop, order_id, 2))
    rejected = shop.wait_final(order_id)
    assert (rejected["status"], rejected["reason"]) == ("rejected", "id_taken")
    assert shop.wait_final(other)["status"] == "completed"
    entries = shop.http.get(shop.url("orders", f"/batches/{batch_id}")).json()["orders"]
    assert [entry["reason"] for entry in entries] == ["id_taken", None]

    expect(workflows.post(f"/{order_id}/terminate"), 202)
    assert workflows.finished(order_id)["name"] == HELLO
    expect(place(shop, data), 409, "ID_TAKEN")
    expect(workflows.post(f"/{order_id}/purge"), 202)
    expect(place(shop, data), 202)

    order = shop.wait_final(order_id)
    assert order["status"] == "completed"
    assert order["history"][0]["reason"] == "id_taken"
    assert shop.payments(order_id) == [("charge", 10_00)]
    wait_for(
        "the statuses to be published",
        lambda: shop.published_statuses(order_id)[-1]["status"] == "completed",
    )
    published = [change["sequence"] for change in shop.published_statuses(order_id)]
    assert sorted(set(published)) == [each["sequence"] for each in order["history"]]
    taken = workflows.post(f"/{HELLO}/start", instance_id=order_id, replace=True)
    expect(taken, 409, "WORKFLOW_ALREADY_EXISTS")
