"""Invalid events become dead letters with a reason; none is lost or half processed."""

import json
from typing import Any

import pytest

from system.shop import Shop, new_id, wait_for

# Each entry makes a body for an order id, and says whether the id can be read from it.
ORDERS: dict[str, tuple[Any, bool]] = {
    "no lines": (lambda i: {"order_id": i, "customer_id": "a"}, True),
    "empty lines": (lambda i: {"order_id": i, "customer_id": "a", "lines": []}, True),
    "quantity zero": (lambda i: {"order_id": i, "item": "cars", "quantity": 0}, True),
    "quantity a string": (lambda i: {"order_id": i, "item": "cars", "quantity": "3"}, True),
    "quantity a fraction": (lambda i: {"order_id": i, "item": "cars", "quantity": 1.5}, True),
    "quantity beyond all": (lambda i: {"order_id": i, "item": "cars", "quantity": 10**30}, True),
    "an item twice": (
        lambda i: {
            "order_id": i,
            "customer_id": "a",
            "lines": [{"item": "cars", "quantity": 1}, {"item": "cars", "quantity": 1}],
        },
        True,
    ),
    "too many lines": (
        lambda i: {
            "order_id": i,
            "customer_id": "a",
            "lines": [{"item": f"i{n}", "quantity": 1} for n in range(101)],
        },
        True,
    ),
    "lines not a list": (lambda i: {"order_id": i, "customer_id": "a", "lines": "cars"}, True),
    "null customer": (
        lambda i: {"order_id": i, "customer_id": None, "lines": [{"item": "cars", "quantity": 1}]},
        True,
    ),
    "a bad id": (lambda i: {"order_id": f"{i} /../", "item": "cars", "quantity": 1}, False),
    "an id that is a number": (lambda i: {"order_id": 7, "note": i, "item": "cars"}, False),
    "a list": (lambda i: [i], False),
    "a string": (lambda i: i, False),
}


@pytest.mark.parametrize("kind", ORDERS)
def test_an_invalid_order_becomes_a_dead_letter_at_once(shop: Shop, kind: str) -> None:
    """If its id can be read, the order is rejected as invalid."""
    make, readable = ORDERS[kind]
    order_id = new_id("bad")
    assert shop.publish("orders.submitted", make(order_id)).status_code == 204
    dead_letter = wait_for(
        "the dead letter",
        lambda: shop.dead_letters_with("orders", order_id),
    )[0]
    assert dead_letter["topic"] == "orders.submitted"
    assert dead_letter["reason"].startswith("invalid")
    wait_for(
        "the event on the dead-letter topic",
        lambda: [e for e in shop.stream("orders.submitted.dead") if order_id in json.dumps(e)],
    )
    if readable:
        order = shop.wait_final(order_id)
        assert (order["status"], order["reason"]) == ("rejected", "invalid")
        published = wait_for(
            "the rejection to be published", lambda: shop.published_statuses(order_id)
        )
        assert [(d["sequence"], d["status"]) for d in published] == [(1, "rejected")]
    else:
        assert shop.order(order_id) is None


RAW: dict[str, tuple[bytes, str]] = {
    "broken JSON": (b'{"order_id": "x-MARK", "item"', "application/json"),
    "plain text": (b"MARK is no order", "text/plain"),
    "bytes": (b"\xff\xfe\x00 MARK \x80", "application/octet-stream"),
    "nothing but white space": (b"   ", "application/json"),
    "an event without data": (
        b'{"specversion":"1.0","id":"MARK","type":"t","source":"/s"}',
        "application/cloudevents+json",
    ),
    "an event whose data is a string": (
        (
            b'{"specversion":"1.0","id":"MARK","type":"t","source":"/s",'
            b'"datacontenttype":"application/json","data":"MARK"}'
        ),
        "application/cloudevents+json",
    ),
    "very deep": (b"[" * 5000 + b'"MARK"' + b"]" * 5000, "application/json"),
}


@pytest.mark.parametrize("topic", ["orders.submitted", "approvals.requested",
                                   "approvals.decisions", "approvals.withdrawn"])  # fmt: skip
def test_arbitrary_bytes_become_dead_letters(shop: Shop, topic: str) -> None:
    """Everything the sidecar accepts becomes a dead letter, and valid events still get through."""
    app = topic.partition(".")[0]
    before = len(shop.dead_letters(app, topic=topic))
    taken = 0
    for body, content_type in RAW.values():
        raw = body.replace(b"MARK", new_id("raw").encode())
        response = shop.publish(topic, None, raw=raw, content_type=content_type)
        taken += response.status_code == 204
    assert taken >= 4
    wait_for(
        f"{taken} dead letters on {topic}",
        lambda: len(shop.dead_letters(app, topic=topic)) - before >= taken,
    )
    assert shop.wait_final(shop.submit())["status"] == "completed"


APPROVALS: dict[str, tuple[str, Any]] = {
    "decision without approver": ("approvals.decisions", {"approved": True}),
    "decision not a bool": ("approvals.decisions", {"approved": "yes", "approver": "a"}),
    "decision of null": ("approvals.decisions", {"approved": None, "approver": "a"}),
    "request without lines": ("approvals.requested", {"customer_id": "a", "total_cents": 1}),
    "request that never expires": (
        "approvals.requested",
        {
            "customer_id": "a",
            "lines": [{"item": "cars", "quantity": 1}],
            "total_cents": 1,
            "expires_at": "never",
        },
    ),
    "withdrawal without reason": ("approvals.withdrawn", {"why": "because"}),
}


@pytest.mark.parametrize("kind", APPROVALS)
def test_an_invalid_approval_event_becomes_a_dead_letter(shop: Shop, kind: str) -> None:
    """The dead letter has the reason and the order id, and no request is created."""
    topic, data = APPROVALS[kind]
    order_id = new_id("bad")
    assert shop.publish(topic, {"order_id": order_id, **data}).status_code == 204
    dead_letter = wait_for(
        "the dead letter", lambda: shop.dead_letters("approvals", order_id=order_id)
    )[0]
    assert dead_letter["topic"] == topic
    assert dead_letter["reason"]
    assert shop.approval(order_id) is None


def test_a_dead_letter_can_be_resent(shop: Shop) -> None:
    """A resent event keeps its own id and can succeed later."""
    order_id = new_id("again")
    shop.publish("orders.submitted", shop.order_data(order_id))
    shop.wait_final(order_id)
    shop.publish("orders.submitted", shop.order_data(order_id, quantity=2))
    dead_letter = wait_for(
        "the dead letter", lambda: shop.dead_letters("orders", order_id=order_id)
    )[0]
    again = shop.http.post(shop.url("orders", f"/dead-letters/{dead_letter['id']}/resend"))
    assert again.status_code == 202

    def refused_again() -> bool:
        (now,) = shop.dead_letters("orders", order_id=order_id)
        return bool(now["received_at"] > dead_letter["received_at"])

    wait_for("it to be refused again", refused_again)
    assert shop.payments(order_id) == [("charge", 5_00)]
