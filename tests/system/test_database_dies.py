"""The PostgreSQL server of all services dies or becomes read-only; nothing is lost."""

import json
import signal
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import httpx
import pytest

from orderflow_contracts.names import SERVICES
from orderflow_lab.postgres_server import PostgresServer
from orderflow_tools.platform import Platform
from system.shop import Shop, assert_records_agree, new_id, wait_for
from system.stores import on_postgres, postgres_programs

STOP_SECONDS = 20
"""Longest normal shutdown; the grace period in Kubernetes is longer, as a reserve."""
REFUSALS = 12
"""Failed attempts to wait for: more than turn a faulty event into a dead letter."""


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    """Run a server that these tests may stop."""
    with PostgresServer(postgres_programs()) as server:
        yield server


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, server: PostgresServer) -> Iterator[Shop]:
    """Run a platform on this server."""
    folder: Path = tmp_path_factory.mktemp("database")
    with Platform(on_postgres(server)(folder)) as running:
        shop = Shop(running)
        yield shop
        shop.close()


def publish_many(shop: Shop, count: int) -> list[str]:
    """Publish paperclip orders, retrying whatever the services do."""
    orders = [shop.order_data(new_id("db")) for _ in range(count)]
    shop.at_once(shop.submit_until_accepted, orders, threads=8)
    return [data["order_id"] for data in orders]


def readiness(shop: Shop, app: str) -> httpx.Response | None:
    """Return a service's readiness response; None if it does not answer."""
    try:
        return shop.http.get(shop.url(app, "/readyz"))
    except httpx.HTTPError:
        return None


def is_waiting_for_its_store(shop: Shop, app: str) -> bool:
    """Return whether a service is alive, and not ready because of its store."""
    ready = readiness(shop, app)
    return (
        ready is not None and ready.status_code == 503 and ready.json()["checks"]["store"] != "ok"
    )


def test_orders_survive_a_database_crash(shop: Shop, server: PostgresServer) -> None:
    """All orders end once; during the outage the services stay alive and are not ready."""
    platform = shop.platform
    shop.restock()
    ids = publish_many(shop, 20)
    server.kill()
    for app in SERVICES:
        wait_for(
            f"{app} to report its store unavailable", partial(is_waiting_for_its_store, shop, app)
        )
        assert shop.http.get(shop.url(app, "/healthz")).status_code == 200
    refused = shop.http.post(shop.url("orders", "/orders"), json=shop.order_data(new_id("db")))
    assert (refused.status_code, refused.json()["code"]) == (503, "STORE_UNAVAILABLE")
    former = platform.kill("orders")
    platform.wait_for_restart("orders", former)
    wait_for("orders to wait for it", lambda: is_waiting_for_its_store(shop, "orders"))
    ids += publish_many(shop, 20)

    server.start()

    platform.wait_until_ready()
    ended = shop.wait_all_final(ids, timeout=180)
    assert {(order["status"], order["reason"]) for order in ended} == {("completed", None)}
    stock = shop.stock("paperclip")
    assert (stock["on_hand"], stock["reserved"]) == (100 - len(ids), 0)
    wait_for(
        "every status to be published",
        lambda: all(all_statuses_published(shop, order_id) for order_id in ids),
    )
    assert_records_agree(shop, ended)
    assert not shop.dead_letters("orders")


def publish_event(shop: Shop, topic: str, data: dict[str, object]) -> str:
    """Publish data under a unique event id, and return the id."""
    event_id = new_id("event")
    event = {
        "specversion": "1.0",
        "id": event_id,
        "type": "test",
        "source": "/test",
        "datacontenttype": "application/json",
        "data": data,
    }
    published = shop.publish(
        topic, None, raw=json.dumps(event).encode(), content_type="application/cloudevents+json"
    )
    assert published.status_code == 204
    return event_id


def test_nothing_is_lost_while_the_database_is_read_only(
    shop: Shop, server: PostgresServer
) -> None:
    """Events are retried, services report that they cannot write, and all work finishes later."""
    shop.platform.wait_until_ready()
    shop.restock()
    large = shop.submit("cars", 4)
    shop.wait_status(large, "awaiting_approval")
    orders = [shop.order_data(new_id("ro")) for _ in range(3)]
    server.set_read_only(on=True)
    try:
        for app in SERVICES:
            wait_for(f"{app} to be not ready", partial(is_waiting_for_its_store, shop, app))
        waiting = [("orders", publish_event(shop, "orders.submitted", data)) for data in orders]
        decision = {"order_id": large, "approved": True, "approver": "mallory"}
        waiting.append(("approvals", publish_event(shop, "approvals.decisions", decision)))
        refused = shop.http.post(shop.url("orders", "/orders"), json=shop.order_data(new_id("ro")))
        assert (refused.status_code, refused.json()["code"]) == (503, "STORE_UNAVAILABLE")
        assert shop.order(large) is not None
        for app, event_id in waiting:
            wait_for(f"{event_id} to fail often", partial(has_failed_often, shop, app, event_id))
    finally:
        server.set_read_only(on=False)

    shop.platform.wait_until_ready()
    ended = shop.wait_all_final([large, *(str(data["order_id"]) for data in orders)])
    assert {(order["status"], order["reason"]) for order in ended} == {("completed", None)}
    assert_records_agree(shop, ended)
    assert not shop.dead_letters("orders")
    assert not shop.dead_letters("approvals")


def has_failed_often(shop: Shop, app: str, event_id: str) -> bool:
    """Return whether an event was tried more often than a faulty one would be."""
    lines = shop.platform.log(app).read_text().splitlines()
    return sum("event_waits" in line and event_id in line for line in lines) >= REFUSALS


def all_statuses_published(shop: Shop, order_id: str) -> bool:
    """Return whether all statuses of an order were published."""
    order = shop.order(order_id)
    return order is not None and len(shop.published_statuses(order_id)) == order["sequence"]


@pytest.mark.parametrize("app", SERVICES)
def test_a_service_shuts_down_in_time_while_it_processes_orders(shop: Shop, app: str) -> None:
    """It finishes work in progress; what it does not accept is delivered again."""
    platform = shop.platform
    shop.restock()
    ids = publish_many(shop, 10)
    former = platform.kill(app, signal.SIGTERM)
    platform.wait_for_restart(app, former, STOP_SECONDS)
    ids += publish_many(shop, 5)

    ended = shop.wait_all_final(ids)

    assert {(order["status"], order["reason"]) for order in ended} == {("completed", None)}
    assert not shop.dead_letters("orders")
