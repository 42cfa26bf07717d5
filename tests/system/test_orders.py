"""The way of an order on the real Dapr runtime, to each of its ends."""

import pytest

from system.shop import Shop, assert_books_agree, new_id, wait_for

CAR = 15_000_00


def statuses(order: dict[str, list[dict[str, str]]]) -> list[str]:
    return [entry["status"] for entry in order["history"]]


def test_a_small_order_completes(shop: Shop) -> None:
    """An event becomes a completed order: stock taken, money charged, each status told."""
    order_id = shop.submit("paperclip", 3)
    order = shop.wait_final(order_id)
    assert statuses(order) == ["received", "reserved", "paid", "completed"]
    assert order["total_cents"] == 15_00
    assert shop.payments(order_id) == [("charge", 15_00)]
    assert shop.stock("paperclip")["on_hand"] == 97
    assert shop.stock("paperclip")["reserved"] == 0
    wait_for("the last status on the topic", lambda: len(shop.told(order_id)) == 4)
    assert_books_agree(shop, [order])


def test_statuses_are_cloud_events_with_the_contracts_attributes(shop: Shop) -> None:
    """What is told on orders.status carries id, type, source and subject as agreed."""
    order_id = shop.submit()
    shop.wait_final(order_id)
    events = wait_for(
        "all four events",
        lambda: [
            found
            for found in [[e for e in shop.stream("orders.status") if e["subject"] == order_id]]
            if len(found) >= 4
        ],
    )[0]
    for event in events:
        assert event["id"] == f"{order_id}.{event['data']['sequence']}"
        assert event["type"] == "com.orderflow.order.status.v1"
        assert event["source"] == "/orderflow/orders"
        assert event["specversion"] == "1.0"
        assert event["data"]["at"].endswith("Z")


def test_the_short_form_without_an_id_takes_the_events_id(shop: Shop) -> None:
    """A publisher that names no order gets one under the CloudEvent's id."""
    order_id = new_id("event")
    event = {
        "specversion": "1.0",
        "id": order_id,
        "type": "com.example.order",
        "source": "/somewhere",
        "datacontenttype": "application/json",
        "data": {"item": "computers", "quantity": 2},
    }
    response = shop.publish("orders.submitted", event, content_type="application/cloudevents+json")
    assert response.status_code == 204
    assert shop.wait_final(order_id)["total_cents"] == 1_000_00


@pytest.mark.parametrize(
    ("item", "quantity", "reason"),
    [("unicorns", 1, "unknown_item"), ("cars", 101, "out_of_stock")],
)
def test_what_stock_cannot_serve_is_rejected(
    shop: Shop, item: str, quantity: int, reason: str
) -> None:
    """Nothing is set aside or charged for an order that is rejected."""
    order = shop.wait_final(shop.submit(item, quantity))
    assert (order["status"], order["reason"]) == ("rejected", reason)
    assert statuses(order) == ["received", "rejected"]
    assert shop.payments(order["order_id"]) == []
    assert shop.stock("cars")["reserved"] == 0


def test_a_large_order_is_approved_over_http(shop: Shop) -> None:
    """A total over the threshold waits for a person and goes on with the decision."""
    order_id = shop.submit("cars", 11)
    shop.wait_status(order_id, "awaiting_approval")
    request = shop.wait_approval(order_id, "pending")
    assert request["total_cents"] == 11 * CAR
    assert shop.decide(order_id, approved=True, comment="fine").status_code == 200
    assert shop.decide(order_id, approved=True, comment="fine").status_code == 200
    assert shop.decide(order_id, approved=False).status_code == 409
    order = shop.wait_final(order_id)
    assert statuses(order) == [
        "received", "reserved", "awaiting_approval", "approved", "paid", "completed",
    ]  # fmt: skip
    assert shop.stock("cars")["on_hand"] == 89
    assert shop.approval(order_id)["status"] == "approved"  # type: ignore[index]


def test_the_threshold_itself_needs_no_approval(shop: Shop) -> None:
    """Only a total over the threshold waits: 50,000 USD exactly goes through."""
    order = shop.wait_final(shop.submit("computers", 100))
    assert order["total_cents"] == 50_000_00
    assert order["status"] == "completed"


def test_a_large_order_is_denied_by_event(shop: Shop) -> None:
    """A refusal on the topic ends the order as rejected and gives the stock back."""
    order_id = shop.submit("cars", 4)
    shop.wait_status(order_id, "awaiting_approval")
    decision = {"order_id": order_id, "approved": False, "approver": "bob", "comment": "too much"}
    assert shop.publish("approvals.decisions", decision).status_code == 204
    order = shop.wait_final(order_id)
    assert (order["status"], order["reason"]) == ("rejected", "denied")
    assert shop.payments(order_id) == []
    assert shop.stock("cars")["available"] == 100
    assert shop.wait_approval(order_id, "denied")["approver"] == "bob"


def test_a_decision_may_come_before_its_request(shop: Shop) -> None:
    """An early decision is kept and applied when the order asks for it."""
    order_id = new_id("early")
    decision = {"order_id": order_id, "approved": True, "approver": "bob"}
    assert shop.publish("approvals.decisions", decision).status_code == 204
    assert shop.publish("orders.submitted", shop.order_data(order_id, "cars", 5)).status_code == 204
    assert shop.wait_final(order_id)["status"] == "completed"


def test_a_waiting_order_can_be_cancelled(shop: Shop) -> None:
    """Cancelling during the wait undoes the reservation and withdraws the request."""
    order_id = shop.submit("cars", 6)
    shop.wait_status(order_id, "awaiting_approval")
    shop.wait_approval(order_id, "pending")
    response = shop.http.post(shop.url("orders", f"/orders/{order_id}/cancel"))
    assert response.status_code == 202
    order = shop.wait_final(order_id)
    assert order["status"] == "cancelled"
    assert shop.stock("cars")["available"] == 100
    shop.wait_approval(order_id, "withdrawn")
    assert shop.decide(order_id, approved=True).status_code == 409
    again = shop.http.post(shop.url("orders", f"/orders/{order_id}/cancel"))
    assert again.status_code == 409


def test_a_declined_payment_gives_the_stock_back(shop: Shop) -> None:
    """A declined payment ends the order as rejected with nothing held."""
    order = shop.wait_final(shop.submit("paperclip", 5, "test-declined"))
    assert (order["status"], order["reason"]) == ("rejected", "payment_declined")
    assert shop.payments(order["order_id"]) == []
    assert shop.stock("paperclip")["available"] == 100


def test_a_payment_provider_that_comes_back_is_tried_again(shop: Shop) -> None:
    """A provider that is away for a moment delays an order and charges it once."""
    order = shop.wait_final(shop.submit("paperclip", 1, "test-unavailable-2"))
    assert order["status"] == "completed"
    assert shop.payments(order["order_id"]) == [("charge", 5_00)]


@pytest.mark.parametrize(
    "own_shop",
    [{"ORDERS_APPROVAL_TIMEOUT_SECONDS": "1", "ORDERS_RETRY_TIMEOUT_SECONDS": "3"}],
    indirect=True,
)
def test_time_runs_out(own_shop: Shop) -> None:
    """Without a decision an order expires; without a provider it fails; both are undone."""
    expiring = own_shop.submit("cars", 4)
    failing = own_shop.submit("paperclip", 2, "test-unavailable-99")
    order = own_shop.wait_final(expiring)
    assert (order["status"], order["reason"]) == ("rejected", "approval_expired")
    own_shop.wait_approval(expiring, "expired")
    assert own_shop.decide(expiring, approved=True).status_code == 409
    order = own_shop.wait_final(failing)
    assert (order["status"], order["reason"]) == ("failed", "payment_unavailable")
    assert own_shop.stock("cars")["available"] == 100
    assert own_shop.stock("paperclip")["available"] == 100


def test_an_order_can_be_placed_over_http(shop: Shop) -> None:
    """POST /orders answers 202 with a Location, the same again, and 409 for other content."""
    order_id = new_id("http")
    url = shop.url("orders", "/orders")
    first = shop.http.post(url, json=shop.order_data(order_id))
    assert first.status_code == 202
    assert first.headers["location"] == f"/orders/{order_id}"
    assert shop.http.post(url, json=shop.order_data(order_id)).status_code == 202
    other = shop.http.post(url, json=shop.order_data(order_id, quantity=2))
    assert other.status_code == 409
    assert other.headers["content-type"] == "application/problem+json"
    bad = shop.http.post(url, json=shop.order_data(order_id, quantity=0))
    assert bad.status_code == 422
    assert "lines.0.quantity" in bad.json()["detail"]
    assert shop.wait_final(order_id)["status"] == "completed"


def test_the_stream_tells_every_status_and_resumes(shop: Shop) -> None:
    """Server-sent events carry each status, and Last-Event-ID goes on where one stopped."""
    url = shop.url("orders", "/orders/stream")
    with shop.http.stream("GET", url) as live:
        lines = live.iter_lines()
        assert next(lines).startswith(":")
        order_id = shop.submit()
        first = next(line for line in lines if line.startswith("id:"))
        assert order_id in next(line for line in lines if line.startswith("data:"))
    shop.wait_final(order_id)
    headers = {"Last-Event-ID": first.removeprefix("id:").strip()}
    with shop.http.stream("GET", url, headers=headers) as resumed:
        data = (line for line in resumed.iter_lines() if line.startswith("data:"))
        assert '"reserved"' in next(data)
        assert '"paid"' in next(data)
        assert '"completed"' in next(data)
