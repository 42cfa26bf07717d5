"""What every broker must do for Orderflow: `pytest --broker=...` chooses the one to test."""

import base64
import gzip
import json
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from typing import Any

import grpc
import pytest
from dapr.proto import api_service_v1, api_v1

from orderflow_contracts.names import ORDERS, ORDERS_STATUS, ORDERS_SUBMITTED, PUBSUB
from orderflow_tools.brokers.names import KAFKA, RABBITMQ, REDIS
from orderflow_tools.platform import Platform
from system.rush import Rush
from system.shop import new_id, wait_for
from system.stores import Isolated
from system.watching import WatchedShop


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, isolated: Isolated) -> Iterator[WatchedShop]:
    """Run a platform whose broker these tests may kill."""
    with Platform(isolated(tmp_path_factory.mktemp("broker"))) as running:
        shop = WatchedShop(running)
        yield shop
        shop.close()


def test_an_order_is_processed(shop: WatchedShop) -> None:
    """It goes through the topics of orders and approvals, and ends completed."""
    order_id = shop.submit("cars", 4)
    shop.wait_approval(order_id, "pending")

    assert shop.decide(order_id, approved=True).status_code == 200

    assert shop.wait_final(order_id)["status"] == "completed"


ODD: dict[str, tuple[bytes, str]] = {
    "a number beyond a double": (b'{"note": "%s", "x": 1e400}', "application/json"),
    "bytes that are no text": (gzip.compress(b"", mtime=0) + b"%s", "application/octet-stream"),
    "a megabyte of escapes": (b'"%s' + b"<" * 1_000_000 + b'"', "application/json"),
}


@pytest.mark.parametrize("kind", ODD)
def test_an_odd_event_becomes_a_dead_letter_with_its_bytes(shop: WatchedShop, kind: str) -> None:
    """What the broker stores arrives byte for byte, and is recorded once."""
    body, content_type = ODD[kind]
    marker = new_id("odd").encode()
    sent = body.replace(b"%s", marker)
    publish_raw(shop, sent, content_type)

    def found() -> list[dict[str, Any]]:
        return shop.dead_letters_with(ORDERS, marker.decode(), topic=ORDERS_SUBMITTED)

    (letter,) = wait_for("the dead letter", found)
    whole = shop.http.get(shop.url(ORDERS, f"/dead-letters/{letter['id']}")).json()
    assert base64.b64decode(whole["data_base64"]) == sent
    assert shop.wait_final(shop.submit())["status"] == "completed"
    assert len(found()) == 1


def test_a_stubborn_event_does_not_block_the_others(shop: WatchedShop) -> None:
    """It is parked while others of its partition complete; once mended, it completes."""
    with closing(sqlite3.connect(shop.platform.settings.data / "orders.db")) as database:
        database.execute(
            "CREATE TRIGGER stubborn BEFORE INSERT ON orders WHEN NEW.customer_id = 'stubborn'"
            " BEGIN SELECT RAISE(ABORT, 'stubborn'); END"
        )
        stubborn = [submit_keyed(shop, "stubborn") for _ in range(3)]
        wait_for("all to be parked", lambda: len(parked(shop)) == len(stubborn))
        for _ in range(3):
            order_id = submit_keyed(shop, "alice")
            assert shop.wait_final(order_id, timeout=10)["status"] == "completed"
        database.execute("DROP TRIGGER stubborn")
    for order_id in stubborn:
        assert shop.wait_final(order_id)["status"] == "completed"
    assert parked(shop) == []


def test_metadata_that_fit_no_header_hold_up_nobody(shop: WatchedShop) -> None:
    """Only Redis passes metadata on; there the event moves to the dead-letter topic."""
    unfit, good = new_id("unfit"), new_id("good")
    address = f"127.0.0.1:{shop.platform.settings.ports.apps[ORDERS].dapr_grpc}"
    with grpc.insecure_channel(address) as channel:
        for order_id in (unfit, good):
            odd = {"é": "\n"} if order_id == unfit else {}
            api_service_v1.DaprStub(channel).PublishEvent(
                api_v1.PublishEventRequest(
                    pubsub_name=PUBSUB,
                    topic=ORDERS_SUBMITTED,
                    data=json.dumps(
                        {"order_id": order_id, "item": "paperclip", "quantity": 1}
                    ).encode(),
                    data_content_type="application/json",
                    metadata={"partitionKey": "é", **odd},
                ),
                timeout=10,
            )

    if shop.platform.settings.broker == REDIS:
        assert shop.wait_final(shop.submit(), timeout=10)["status"] == "completed"
    else:
        assert shop.wait_final(good)["status"] == "completed"
        assert shop.wait_final(unfit)["status"] == "completed"


def test_statuses_arrive_in_order(shop: WatchedShop) -> None:
    """A subscriber gets the statuses of each order one after the other, without a gap."""
    orders = [shop.submit() for _ in range(20)]
    shop.wait_all_final(orders)

    for order_id in orders:
        wait_for("the last status", partial(is_complete, shop, order_id))
        assert arrived(shop, order_id, "sequence") == [1, 2, 3, 4]


UNCONFIRMED = {REDIS: 0, RABBITMQ: 1, KAFKA: 0}
"""How many events a kill of the broker may lose although it reported success to their publisher.

Dapr's component for RabbitMQ reports success for the one event whose confirmation it is waiting for
when the connection ends; see docs/explanation/brokers.md.
"""


SETTLED = {REDIS: 40, RABBITMQ: 40, KAFKA: 120}
"""Seconds until everything has arrived.

After Kafka has returned, Dapr's component does not publish for up to ten more seconds.
"""


def test_a_killed_broker_comes_back_with_its_events(shop: WatchedShop) -> None:
    """Killed while orders are published and processed, it loses none that it has confirmed."""
    platform = shop.platform
    rush = Rush(shop, 60)
    before = shop.stock("paperclip")["on_hand"]
    rush.submit_half()
    with ThreadPoolExecutor(1) as pool:
        publishing = pool.submit(rush.submit_rest)
        former = platform.kill("broker")
        platform.wait_for_restart("broker", former)
        publishing.result()
    platform.resume_subscriptions()

    broker = platform.settings.broker
    may_lose = UNCONFIRMED[broker]
    try:
        wait_for("all orders and statuses", lambda: not lost(shop, rush), SETTLED[broker])
    except AssertionError:
        gone = lost(shop, rush)
        assert len(gone) <= may_lose, gone
    else:
        gone = []
    completed = [data for data in rush.orders if data["order_id"] not in gone]
    sold = sum(data["lines"][0]["item"] == "paperclip" for data in completed)
    assert before - shop.stock("paperclip")["on_hand"] == sold
    for data in completed:
        assert [kind for kind, _ in shop.payments(data["order_id"])] == ["charge"]
    assert shop.wait_final(shop.submit())["status"] == "completed"


def lost(shop: WatchedShop, rush: Rush) -> list[Any]:
    """Return the orders that are not completed, and the statuses that have not arrived.

    Large orders are approved as soon as they can be.
    """
    missing: list[Any] = []
    for order_id in rush.ids:
        order = shop.order(order_id)
        if order is None or order["status"] != "completed":
            missing.append(order_id)
            if order_id in rush.large and shop.approval(order_id):
                shop.decide(order_id, approved=True)
        else:
            known = {entry["sequence"] for entry in order["history"]}
            absent = known - set(arrived(shop, order_id, "sequence"))
            missing += [(order_id, sequence) for sequence in sorted(absent)]
    return missing


def is_complete(shop: WatchedShop, order_id: str) -> bool:
    """Return whether the subscriber has been told that an order is completed."""
    return "completed" in arrived(shop, order_id, "status")


def publish_raw(shop: WatchedShop, body: bytes, content_type: str) -> None:
    """Publish bytes without an envelope."""
    publish(shop, body, content_type, rawPayload="true")


def submit_keyed(shop: WatchedShop, customer: str) -> str:
    """Publish an order; a broker with partitions puts all of these into the same one."""
    order_id = new_id()
    data = shop.order_data(order_id, customer=customer)
    publish(shop, json.dumps(data).encode(), "application/json", partitionKey="one")
    return order_id


def publish(shop: WatchedShop, body: bytes, content_type: str, **metadata: str) -> None:
    """Publish bytes on the topic for orders, with metadata for Dapr."""
    response = shop.http.post(
        f"{shop.platform.sidecar_url(ORDERS)}/v1.0/publish/{PUBSUB}/{ORDERS_SUBMITTED}",
        params={f"metadata.{name}": value for name, value in metadata.items()},
        content=body,
        headers={"content-type": content_type},
    )
    assert response.status_code == 204, response.text


def parked(shop: WatchedShop) -> list[dict[str, Any]]:
    """Return the events that orders has parked."""
    items: list[dict[str, Any]] = shop.http.get(shop.url(ORDERS, "/parked-events")).json()["items"]
    return items


def arrived(shop: WatchedShop, order_id: str, field: str) -> list[Any]:
    """Return a field of an order's statuses as they arrived, without repeated events."""
    events = {e["id"]: e for e in shop.stream(ORDERS_STATUS) if e["subject"] == order_id}
    return [event["data"][field] for event in events.values()]
