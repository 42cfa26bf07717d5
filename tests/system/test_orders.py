"""The lifecycle of an order on the real Dapr runtime, to each final status."""

import pytest

from system.shop import Shop, assert_records_agree, new_id, wait_for

CAR = 15_000_00


def statuses(order: dict[str, list[dict[str, str]]]) -> list[str]:
    return [entry["status"] for entry in order["history"]]


def test_a_small_order_completes(shop: Shop) -> None:
    """Stock is taken, the payment captured, and each status published."""
    order_id = shop.submit("paperclip", 3)
    order = shop.wait_final(order_id)
    assert statuses(order) == ["received", "reserved", "paid", "completed"]
    assert order["total_cents"] == 15_00
    assert shop.payments(order_id) == [("charge", 15_00)]
    assert shop.stock("paperclip")["on_hand"] == 97
    assert shop.stock("paperclip")["reserved"] == 0
    wait_for("the last status on the topic", lambda: len(shop.published_statuses(order_id)) == 4)
    assert_records_agree(shop, [order])


def test_statuses_are_published_as_cloud_events(shop: Shop) -> None:
    """Events on orders.status have id, type, source and subject as in the contract."""
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


def test_an_order_without_an_id_gets_the_events_id(shop: Shop) -> None:
    """The short form of an order takes its id from the CloudEvent."""
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
def test_an_order_that_stock_cannot_serve_is_rejected(
    shop: Shop, item: str, quantity: int, reason: str
) -> None:
    """Nothing is reserved or charged for it."""
    order = shop.wait_final(shop.submit(item, quantity))
    assert (order["status"], order["reason"]) == ("rejected", reason)
    assert statuses(order) == ["received", "rejected"]
    assert shop.payments(order["order_id"]) == []
    assert shop.stock("cars")["reserved"] == 0


def test_a_large_order_is_approved_over_http(shop: Shop) -> None:
    """An order above the threshold waits for the decision, then goes on."""
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


def test_a_total_at_the_threshold_needs_no_approval(shop: Shop) -> None:
    """Exactly 50,000 USD needs no approval."""
    order = shop.wait_final(shop.submit("computers", 100))
    assert order["total_cents"] == 50_000_00
    assert order["status"] == "completed"


def test_a_large_order_is_denied_by_event(shop: Shop) -> None:
    """A denial on the topic rejects the order and releases its stock."""
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
    """An early decision is kept until the order requests it."""
    order_id = new_id("early")
    decision = {"order_id": order_id, "approved": True, "approver": "bob"}
    assert shop.publish("approvals.decisions", decision).status_code == 204
    assert shop.publish("orders.submitted", shop.order_data(order_id, "cars", 5)).status_code == 204
    assert shop.wait_final(order_id)["status"] == "completed"


def test_a_waiting_order_can_be_cancelled(shop: Shop) -> None:
    """Cancelling releases the reservation and withdraws the request."""
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


def test_a_declined_payment_releases_the_stock(shop: Shop) -> None:
    """The order is rejected and nothing stays reserved."""
    order = shop.wait_final(shop.submit("paperclip", 5, "test-declined"))
    assert (order["status"], order["reason"]) == ("rejected", "payment_declined")
    assert shop.payments(order["order_id"]) == []
    assert shop.stock("paperclip")["available"] == 100


def test_an_unavailable_payment_provider_is_retried(shop: Shop) -> None:
    """A short outage of the provider delays the order, which is charged once."""
    order = shop.wait_final(shop.submit("paperclip", 1, "test-unavailable-2"))
    assert order["status"] == "completed"
    assert shop.payments(order["order_id"]) == [("charge", 5_00)]


@pytest.mark.parametrize(
    "own_shop",
    [{"ORDERS_APPROVAL_TIMEOUT_SECONDS": "1", "ORDERS_RETRY_TIMEOUT_SECONDS": "3"}],
    indirect=True,
)
def test_orders_end_when_their_time_runs_out(own_shop: Shop) -> None:
    """Without a decision an order is rejected, without a provider it fails; each is rolled back."""
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
    """POST /orders answers 202 with a Location, also for a duplicate, and 409 for other content."""
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


def test_the_stream_sends_every_status_and_resumes(shop: Shop) -> None:
    """A client that reconnects with Last-Event-ID gets the statuses it missed."""
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
