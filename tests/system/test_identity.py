"""What names an order, what ends a submission, and why an order was rejected."""

import hashlib
import json
from typing import Any

from orderflow_contracts.order_ids import id_of_event
from system.shop import Shop, new_id, wait_for

SHORT = {"item": "paperclip", "quantity": 1}
CLOUD_EVENT = "application/cloudevents+json"


def publish_event(shop: Shop, event_id: str, source: str, data: object) -> None:
    """Publish a CloudEvent that the publisher wrote itself."""
    event = {
        "specversion": "1.0",
        "id": event_id,
        "source": source,
        "type": "com.shop.order.v1",
        "datacontenttype": "application/json",
        "data": data,
    }
    raw = json.dumps(event).encode()
    response = shop.publish("orders.submitted", None, raw=raw, content_type=CLOUD_EVENT)
    assert response.status_code == 204


def statuses(order: dict[str, Any]) -> list[tuple[int, str]]:
    return [(entry["sequence"], entry["status"]) for entry in order["history"]]


def test_events_of_different_sources_with_one_id_are_different_orders(shop: Shop) -> None:
    """However often they are delivered; and an id that cannot be an order's gives a derived one."""
    event_id, urn = new_id("event"), f"urn:uuid:{new_id()}"
    for source in ("/first", "/second", "/first", "/second"):
        publish_event(shop, event_id, source, SHORT)
        publish_event(shop, urn, source, SHORT)

    derived = [id_of_event(source, urn) for source in ("/first", "/second")]
    order_ids = [event_id, id_of_event("/second", event_id), *derived]
    orders = shop.wait_all_final(order_ids)

    assert [order["status"] for order in orders] == ["completed"] * 4
    assert [shop.payments(order_id) for order_id in order_ids] == [[("charge", 500)]] * 4
    assert shop.order(id_of_event("/first", event_id)) is None


def test_a_raw_payload_without_an_order_id_is_invalid(shop: Shop) -> None:
    """The id that the sidecar makes up for each delivery names nothing."""
    mark = new_id("raw")
    data = json.dumps({**SHORT, "customer_id": mark}).encode()
    path = "/v1.0/publish/pubsub/orders.submitted?metadata.rawPayload=true"
    headers = {"content-type": "application/json"}
    shop.http.post(f"{shop.platform.sidecar_url('orders')}{path}", content=data, headers=headers)

    wanted = {"q": hashlib.sha256(data).hexdigest()}

    def dead_letters() -> list[dict[str, Any]]:
        listed = shop.http.get(shop.url("orders", "/dead-letters"), params=wanted).json()
        return list(listed["items"])

    (letter,) = wait_for("the dead letter", dead_letters)
    assert letter["reason"] == "invalid: order_id: Field required"
    orders = shop.http.get(shop.url("orders", "/orders"), params={"limit": 100}).json()["items"]
    assert mark not in {order["customer_id"] for order in orders}


def test_the_first_valid_submission_continues_an_invalid_one(shop: Shop) -> None:
    """The rejection says what was wrong; later invalid ones do not touch the order."""
    order_id = new_id()
    data = shop.order_data(order_id)
    invalid = {**data, "lines": [*data["lines"], {"item": "cars", "quantity": "many"}]}
    for _ in range(3):
        assert shop.publish("orders.submitted", invalid).status_code == 204
    rejected = shop.wait_final(order_id)
    assert (rejected["reason"], rejected["sequence"]) == ("invalid", 1)
    assert rejected["detail"] == 'lines.1.quantity is "many": Input should be a valid integer.'
    assert (rejected["customer_id"], rejected["lines"]) == ("alice", data["lines"])

    assert shop.http.post(shop.url("orders", "/orders"), json=data).status_code == 202
    shop.wait_status(order_id, "completed")
    assert shop.publish("orders.submitted", invalid).status_code == 204
    assert shop.publish("orders.submitted", data).status_code == 204
    assert shop.wait_final(shop.submit())["status"] == "completed"

    order = shop.order(order_id)
    assert order is not None
    expected = ["rejected", "received", "reserved", "paid", "completed"]
    assert statuses(order) == list(enumerate(expected, 1))
    assert shop.payments(order_id) == [("charge", 500)]

    def published() -> list[dict[str, Any]] | None:
        events = shop.published_statuses(order_id)
        return events if len({event["sequence"] for event in events}) == len(expected) else None

    events = wait_for("all statuses to be published", published)
    unique = {event["sequence"]: event["status"] for event in events}
    assert list(unique.items()) == list(enumerate(expected, 1))
    assert events[0]["detail"] == rejected["detail"]


def test_other_rejections_are_explained(shop: Shop) -> None:
    """Too few in stock, unknown, declined, and denied."""
    denied = shop.submit("cars", 11)
    details = {
        shop.submit("cars", 101): "cars: 101 ordered, but only",
        shop.submit("boats"): "boats: 1 ordered, but none is available.",
        shop.submit(customer="test-declined-1"): "The payment provider declined: test-declined-1",
        denied: f"{shop.approver} denied it: too many",
    }
    shop.wait_approval(denied, "pending")
    assert shop.decide(denied, approved=False, comment="too many").status_code == 200

    for order_id, detail in details.items():
        order = shop.wait_final(order_id)
        assert order["status"] == "rejected"
        assert order["detail"].startswith(detail)
        assert order["history"][-1]["detail"] == order["detail"]


def test_an_idempotency_key_places_one_order(shop: Shop) -> None:
    """Sixteen requests at once are answered with the same order; other content is refused."""
    key, url = f'"{new_id("key")}"', shop.url("orders", "/orders")
    body = {"customer_id": "alice", "lines": [SHORT]}

    def place(order: dict[str, Any]) -> Any:
        return shop.http.post(url, json=order, headers={"Idempotency-Key": key})

    responses = shop.at_once(place, [body] * 16)

    assert {response.status_code for response in responses} == {202}
    (order_id,) = {response.json()["order_id"] for response in responses}
    refused = place({**body, "customer_id": "eve"})
    assert (refused.status_code, refused.json()["code"]) == (422, "IDEMPOTENCY_KEY_REUSED")
    assert shop.wait_final(order_id)["status"] == "completed"
    assert shop.payments(order_id) == [("charge", 500)]
