"""Events that a sidecar acknowledges and would lose, or would deliver for ever.

Each is found as an order or as a dead letter with its bytes, and none delays the others.
"""

import base64
import gzip
import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from typing import Any

import grpc
import pytest
from dapr.proto import api_service_v1, api_v1

from system.shop import Shop, new_id, wait_for

ENVELOPE = {"specversion": "1.0", "source": "/shop", "type": "order"}
STRUCTURED = "application/cloudevents+json"
FORM = "application/x-www-form-urlencoded"
MEGABYTE = 1_000_000


def order(order_id: str, **more: Any) -> dict[str, Any]:
    return {"order_id": order_id, "item": "paperclip", "quantity": 1, **more}


def envelope(order_id: str, **members: Any) -> bytes:
    return json.dumps({**ENVELOPE, "id": f"e-{order_id}", **members}).encode()


Make = Callable[[str], bytes]
"""Returns what is published for an order's id."""

ACCEPTED: dict[str, tuple[Make, str, str]] = {
    "curl's default content type": (lambda i: json.dumps(order(i)).encode(), FORM, ""),
    "a vendor's content type": (
        lambda i: json.dumps(order(i)).encode(),
        "application/vnd.shop.order+json",
        "",
    ),
    "a raw payload": (
        lambda i: json.dumps(order(i)).encode(),
        "application/json",
        "metadata.rawPayload=true",
    ),
    "text that is an object": (
        lambda i: envelope(i, datacontenttype="text/plain", data=order(i)),
        STRUCTURED,
        "",
    ),
    "no data content type": (lambda i: envelope(i, data=order(i)), STRUCTURED, ""),
    "base64": (
        lambda i: envelope(i, data_base64=base64.b64encode(json.dumps(order(i)).encode()).decode()),
        STRUCTURED,
        "",
    ),
    "a megabyte of escapes": (
        lambda i: json.dumps(order(i, x="<" * (MEGABYTE - 200))).encode(),
        "application/json",
        "",
    ),
}


@pytest.mark.parametrize("kind", ACCEPTED)
def test_an_order_in_an_odd_form_is_accepted(shop: Shop, kind: str) -> None:
    """The services read what publishers send, however a sidecar would understand it."""
    make, content_type, metadata = ACCEPTED[kind]
    order_id = new_id("odd")

    publish(shop, make(order_id), content_type, metadata)

    assert shop.wait_final(order_id)["status"] == "completed"


REFUSED: dict[str, tuple[Make, str, str, str]] = {
    "a number beyond a double": (
        lambda i: json.dumps(order(i)).encode()[:-1] + b', "x": 1e400}',
        "application/json",
        "",
        "invalid: data.x: the number is beyond the range of a double",
    ),
    "an integer of 400 digits": (
        lambda i: json.dumps(order(i)).encode()[:-1] + b', "x": ' + b"9" * 400 + b"}",
        "application/json",
        "",
        "invalid: data.x: the number is beyond the range of a double",
    ),
    "a key twice": (
        lambda i: json.dumps(order(i)).encode()[:-1] + b', "quantity": 2}',
        FORM,
        "",
        "invalid: data: the key 'quantity' occurs more than once",
    ),
    "expired": (
        lambda i: envelope(i, expiration="2020-01-01T00:00:00Z", data=order(i)),
        STRUCTURED,
        "",
        "invalid: expired at 2020-01-01 00:00:00 UTC",
    ),
    "broken base64": (
        lambda i: envelope(i, data_base64=f"%{i}%"),
        STRUCTURED,
        "",
        "invalid: data_base64: is not base64",
    ),
    "a raw payload without an id": (
        lambda i: json.dumps({"note": i, "item": "paperclip", "quantity": 1}).encode(),
        "application/json",
        "metadata.rawPayload=true",
        "invalid: order_id: Field required",
    ),
    "more than a megabyte": (
        lambda i: json.dumps(order(i, x="<" * MEGABYTE)).encode(),
        "application/json",
        "",
        "bytes are too many",
    ),
    "as much as a sidecar takes": (
        lambda i: json.dumps(order(i, x="<" * (4 * MEGABYTE))).encode(),
        "application/json",
        "",
        "bytes are too many",
    ),
    "an id that is a word of a path": (
        lambda i: json.dumps({**order("stream"), "note": i}).encode(),
        "application/json",
        "",
        "word of the API's paths",
    ),
    "raw bytes": (
        lambda i: gzip.compress(i.encode(), mtime=0) + i.encode(),
        "application/octet-stream",
        "metadata.rawPayload=true",
        "invalid: not UTF-8",
    ),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_an_odd_event_becomes_a_dead_letter_with_its_bytes(shop: Shop, kind: str) -> None:
    """It names what is wrong, and is recorded once, although it also arrives as a dead letter."""
    make, content_type, metadata, reason = REFUSED[kind]
    order_id = new_id("odd")

    publish(shop, make(order_id), content_type, metadata)

    def found() -> list[dict[str, Any]]:
        return [letter for letter in with_data(shop) if order_id.encode() in letter["bytes"]]

    (letter,) = wait_for("the dead letter", found)
    assert reason in letter["reason"]
    assert shop.wait_final(shop.submit())["status"] == "completed"
    assert len(found()) == 1


UNFIT = {
    "metadata.partitionKey=%C3%A9": "metadata.partitionKey has characters outside printable ASCII",
    "metadata.x=a%0Ab": "metadata.x has characters outside printable ASCII",
    "metadata.x=%FF": "metadata.x has characters outside printable ASCII",
    "metadata.cloudevent.subject=%E2%82%AC": "metadata.cloudevent.subject has characters",
    "metadata.tracestate=%09": "metadata.tracestate has characters outside printable ASCII",
    "metadata.%C3%A9=x": "the name of a parameter has characters other than letters",
    "metadata.=x": "the name of a parameter has characters other than letters",
    "metadata.a%20b=x": "the name of a parameter has characters other than letters",
    "metadata.lb-cost-bin=x": "metadata.lb-cost-bin is reserved for gRPC",
    "metadata.Grpc-Previous-Rpc-Attempts=x": "metadata.Grpc-Previous-Rpc-Attempts is reserved",
}


@pytest.mark.parametrize("metadata", UNFIT)
@pytest.mark.parametrize("version", ["v1.0", "v1.0/.", "v1.0-alpha1"])
def test_metadata_that_no_sidecar_can_deliver_are_refused(
    shop: Shop, version: str, metadata: str
) -> None:
    """They do not fit into the headers of a delivery; the answer says which, and why."""
    path = f"{version}/publish/{'bulk/' if 'alpha' in version else ''}pubsub/orders.submitted"
    url = f"{shop.platform.sidecar_url('orders')}/{path}?{metadata}"

    answer = shop.http.post(url, json=order(new_id("unfit")))

    assert answer.status_code == 400
    assert UNFIT[metadata] in answer.headers["x-orderflow-refused"]


MORE_THAN_ITS_PLACES = 80


def test_an_event_that_no_sidecar_can_deliver_does_not_block_the_others(shop: Shop) -> None:
    """No rule sees what is published over gRPC. The sidecar moves it to the dead-letter topic."""
    unfit = new_id("unfit")
    address = f"127.0.0.1:{shop.platform.settings.ports.apps['orders'].dapr_grpc}"
    with grpc.insecure_channel(address) as channel:
        for number in range(MORE_THAN_ITS_PLACES):
            event = json.dumps(order(f"{unfit}-{number}")).encode()
            api_service_v1.DaprStub(channel).PublishEvent(
                api_v1.PublishEventRequest(
                    pubsub_name="pubsub",
                    topic="orders.submitted",
                    data=event,
                    data_content_type="application/json",
                    metadata={"partitionKey": "é"},
                ),
                timeout=10,
            )

    assert shop.wait_final(shop.submit(), timeout=10)["status"] == "completed"

    def moved() -> bool:
        entries: Any = shop.broker.xrevrange(
            "orders.submitted.dead", count=2 * MORE_THAN_ITS_PLACES
        )
        found = b"".join(fields[b"data"] for _, fields in entries)
        return all(f"{unfit}-{n}".encode() in found for n in range(MORE_THAN_ITS_PLACES))

    wait_for("all to be in the dead-letter topic", moved)


@pytest.mark.parametrize("prefix", ["stock-monitor-", "batch-", "undo-of-order-", "iwf-"])
def test_an_order_may_be_called_like_a_workflow_of_the_service(shop: Shop, prefix: str) -> None:
    """The ids of the service's own workflows have a dot, which ids of orders cannot have."""
    order_id = f"{prefix}{new_id('x')}"
    shop.publish("orders.submitted", order(order_id))

    assert shop.wait_final(order_id)["status"] == "completed"
    for item in ("paperclip", "cars"):
        order_id = f"stock-monitor-{item}"
        shop.publish("orders.submitted", order(order_id))
        assert shop.wait_final(order_id)["status"] == "completed"


STUBBORN = 20


@pytest.mark.parametrize("own_shop", [{}], indirect=True)
def test_stubborn_events_do_not_block_the_others(own_shop: Shop) -> None:
    """They are parked and tried again, while good orders complete; once mended, they complete."""
    with closing(sqlite3.connect(own_shop.platform.settings.home / "data/orders.db")) as database:
        database.execute(
            "CREATE TRIGGER stubborn BEFORE INSERT ON orders WHEN NEW.customer_id = 'stubborn'"
            " BEGIN SELECT RAISE(ABORT, 'stubborn'); END"
        )
        stubborn = [new_id("stubborn") for _ in range(STUBBORN)]
        for order_id in stubborn:
            own_shop.publish("orders.submitted", order(order_id, customer_id="stubborn"))
        wait_for("all to be parked", lambda: len(parked_events(own_shop)) == STUBBORN)
        assert {event["topic"] for event in parked_events(own_shop)} == {"orders.submitted"}
        for _ in range(5):
            assert own_shop.wait_final(own_shop.submit(), timeout=10)["status"] == "completed"
        wait_for(
            "more attempts",
            lambda: all(event["attempts"] > 2 for event in parked_events(own_shop)),
        )
        assert own_shop.dead_letters("orders") == []
        database.execute("DROP TRIGGER stubborn")
    for order_id in stubborn:
        assert own_shop.wait_final(order_id)["status"] == "completed"
    assert parked_events(own_shop) == []


def publish(shop: Shop, body: bytes, content_type: str, metadata: str) -> None:
    url = f"{shop.platform.sidecar_url('orders')}/v1.0/publish/pubsub/orders.submitted?{metadata}"
    response = shop.http.post(url, content=body, headers={"content-type": content_type})
    assert response.status_code == 204, response.text


def with_data(shop: Shop) -> list[dict[str, Any]]:
    """Return the newest dead letters of orders with their bytes."""
    url = shop.url("orders", "/dead-letters")
    newest = shop.http.get(url, params={"limit": 5}).json()["items"]
    letters = [shop.http.get(f"{url}/{letter['id']}").json() for letter in newest]
    return [{**letter, "bytes": base64.b64decode(letter["data_base64"])} for letter in letters]


def parked_events(shop: Shop) -> list[dict[str, Any]]:
    """Return the events of orders that wait for another attempt."""
    parked: list[dict[str, Any]] = shop.http.get(shop.url("orders", "/parked-events")).json()[
        "items"
    ]
    return parked
