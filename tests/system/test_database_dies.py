"""The PostgreSQL server under all services dies in the middle of orders; nothing is lost."""

import signal
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import httpx
import pytest

from orderflow_tools.platform import Platform
from orderflow_tools.postgres import PostgresServer
from system.shop import Shop, assert_books_agree, new_id, wait_for
from system.stores import on_postgres, postgres_programs

STOP_SECONDS = 20
"""So long a service may take to stop when all is well: Kubernetes is told more, for bad days."""


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    """Run a server that may be hurt."""
    with PostgresServer(postgres_programs()) as server:
        yield server


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, server: PostgresServer) -> Iterator[Shop]:
    """Run a platform on it."""
    folder: Path = tmp_path_factory.mktemp("database")
    with Platform(on_postgres(server)(folder)) as running:
        shop = Shop(running)
        yield shop
        shop.close()


def publish_many(shop: Shop, count: int) -> list[str]:
    """Publish orders of a paperclip each, whatever the services do meanwhile."""
    orders = [shop.order_data(new_id("db")) for _ in range(count)]
    shop.at_once(shop.submit_stubbornly, orders, threads=8)
    return [data["order_id"] for data in orders]


def readiness(shop: Shop, app: str) -> httpx.Response | None:
    """Ask a service whether it can take work; None while it does not answer at all."""
    try:
        return shop.http.get(shop.url(app, "/readyz"))
    except httpx.HTTPError:
        return None


def is_waiting_for_its_store(shop: Shop, app: str) -> bool:
    """Tell whether a service lives, is not ready, and says that its store is why."""
    ready = readiness(shop, app)
    return (
        ready is not None and ready.status_code == 503 and ready.json()["checks"]["store"] != "ok"
    )


def test_orders_outlive_a_crash_of_the_database(shop: Shop, server: PostgresServer) -> None:
    """All orders end once; meanwhile services live, are not ready, and one may start anew."""
    platform = shop.platform
    shop.restock()
    ids = publish_many(shop, 20)
    server.kill()
    for app in ("orders", "inventory", "approvals"):
        wait_for(f"{app} to miss its store", partial(is_waiting_for_its_store, shop, app))
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
    wait_for("every end to be told", lambda: all(told_all(shop, order_id) for order_id in ids))
    assert_books_agree(shop, ended)
    assert not shop.dead_letters("orders")


def told_all(shop: Shop, order_id: str) -> bool:
    """Tell whether all that an order became was published."""
    order = shop.order(order_id)
    return order is not None and len(shop.told(order_id)) == order["sequence"]


@pytest.mark.parametrize("app", ["orders", "approvals", "inventory"])
def test_a_service_that_is_asked_to_stop_ends_in_time(shop: Shop, app: str) -> None:
    """In the middle of orders it ends what it has in hand, and what it refuses comes again."""
    platform = shop.platform
    shop.restock()
    ids = publish_many(shop, 10)
    former = platform.kill(app, signal.SIGTERM)
    platform.wait_for_restart(app, former, STOP_SECONDS)
    ids += publish_many(shop, 5)

    ended = shop.wait_all_final(ids)

    assert {(order["status"], order["reason"]) for order in ended} == {("completed", None)}
    assert not shop.dead_letters("orders")
