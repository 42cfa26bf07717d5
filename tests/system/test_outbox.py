"""What orders has recorded is published, whatever happens to the broker or to orders."""

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from orderflow_hosting.outbox.lease import CALL_SECONDS
from orderflow_tools.platform import Platform
from system.rush import Rush
from system.shop import Shop
from system.storefront import new_id, wait_for
from system.stores import Isolated

ORDERS = 20
COMPLETED = ["received", "reserved", "paid", "completed"]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, isolated: Isolated) -> Iterator[Shop]:
    """Run a platform whose broker these tests may take away."""
    with Platform(isolated(tmp_path_factory.mktemp("outbox"))) as running:
        shop = Shop(running)
        yield shop
        shop.close()


def waiting(shop: Shop) -> int:
    """Count the messages that orders has yet to publish."""
    backlog = shop.http.get(shop.url("orders", "/outbox")).json()
    assert (backlog["messages"] == 0) == (backlog["oldest_at"] is None)
    return int(backlog["messages"])


def published(shop: Shop, order_id: str) -> list[dict[str, Any]]:
    """Return the status events of an order as they lie in the broker."""
    return [event for event in shop.stream("orders.status") if event["subject"] == order_id]


def is_in_order(events: list[dict[str, Any]]) -> bool:
    """Whether no status comes before an earlier one; repetitions of the newest are allowed."""
    sequences = [event["data"]["sequence"] for event in events]
    return all(
        now in {max(sequences[:place], default=0), max(sequences[:place], default=0) + 1}
        for place, now in enumerate(sequences)
    )


def assert_published(shop: Shop, ids: list[str], statuses: list[str]) -> None:
    """Wait until all statuses of the orders are published, and check their order."""
    wait_for("the outbox to be empty", lambda: waiting(shop) == 0)
    for order_id in ids:
        events = published(shop, order_id)
        assert is_in_order(events), events
        assert list(dict.fromkeys(event["data"]["status"] for event in events)) == statuses
        assert {event["id"] for event in events} == {
            f"{order_id}.{number + 1}" for number in range(len(statuses))
        }


@contextmanager
def refused(shop: Shop, topic: str) -> Iterator[None]:
    """Let the broker refuse every event of a topic, by a key of another type in its place."""
    shop.broker.xdel(topic, shop.broker.xadd(topic, {"data": b""}))  # so that there is a stream
    shop.broker.rename(topic, "aside")
    shop.broker.set(topic, "no stream")
    try:
        yield
    finally:
        shop.broker.delete(topic)
        shop.broker.rename("aside", topic)


def test_orders_do_not_wait_for_the_broker(shop: Shop) -> None:
    """They end while it refuses their statuses, which follow in sequence when it no longer does."""
    shop.restock()
    with refused(shop, "orders.status"):
        ids = [shop.submit() for _ in range(ORDERS)]
        for order_id in ids:
            assert shop.wait_final(order_id)["status"] == "completed"
        wait_for("all to be promised", lambda: waiting(shop) == ORDERS * len(COMPLETED))
        assert shop.http.get(shop.url("orders", "/readyz")).status_code == 200

    assert_published(shop, ids, COMPLETED)


def test_what_is_promised_outlives_the_process(shop: Shop) -> None:
    """Orders is killed with a full outbox."""
    shop.restock()
    with refused(shop, "orders.status"):
        ids = [shop.submit() for _ in range(ORDERS)]
        shop.wait_all_final(ids)
        former = shop.platform.kill("orders")
        shop.platform.wait_for_restart("orders", former)
        shop.platform.wait_until_ready()
        assert waiting(shop) == ORDERS * len(COMPLETED)

    assert_published(shop, ids, COMPLETED)


def test_refused_entries_of_a_batch_are_published_once_the_broker_takes_them(shop: Shop) -> None:
    """The batch is accepted meanwhile, and its good order completes."""
    shop.restock()
    good, bad, batch_id = new_id("outbox"), new_id("outbox"), new_id("batch")
    entries = [shop.order_data(good), shop.order_data(bad, quantity=0)]
    with refused(shop, "orders.status"):
        batch = {"batch_id": batch_id, "orders": entries}
        assert shop.publish("orders.batch-submitted", batch).status_code == 204
        assert shop.wait_final(good)["status"] == "completed"
        assert shop.wait_final(bad)["reason"] == "invalid"

    assert_published(shop, [good], COMPLETED)
    assert_published(shop, [bad], ["rejected"])
    ends = [event for event in shop.stream("orders.batch-status") if event["subject"] == batch_id]
    assert {end["data"]["status"] for end in ends} == {"completed"}


def test_a_request_for_approval_follows_once_the_broker_takes_it(shop: Shop) -> None:
    """The order waits for the decision meanwhile, as if approvals were slow."""
    shop.restock()
    with refused(shop, "approvals.requested"):
        order_id = shop.submit("cars", 4)
        shop.wait_status(order_id, "awaiting_approval")
        wait_for("the request to be promised", lambda: waiting(shop) > 0)

    shop.wait_approval(order_id, "pending")
    assert shop.decide(order_id, approved=True).status_code == 200
    assert shop.wait_final(order_id)["status"] == "completed"


@pytest.mark.parametrize("fault", ["killed", "paused"])
def test_statuses_stay_in_sequence_whatever_happens_to_the_broker(shop: Shop, fault: str) -> None:
    """It is gone, or silent for longer than a call to the sidecar may take."""
    rush = Rush(shop, ORDERS)
    rush.submit_half()
    rush.wait_until_under_way()
    if fault == "killed":
        former = shop.platform.kill("broker")
        shop.platform.wait_for_restart("broker", former)
    else:
        shop.platform.kill("broker", signal.SIGSTOP)
        time.sleep(CALL_SECONDS + 1)  # the pause is what is tried
        shop.platform.kill("broker", signal.SIGCONT)
    rush.submit_rest()
    rush.approve()
    rush.assert_all_sold_once()

    small = [order_id for order_id in rush.ids if order_id not in rush.large]
    assert_published(shop, small, COMPLETED)
    approved = [*COMPLETED[:2], "awaiting_approval", "approved", *COMPLETED[2:]]
    assert_published(shop, rush.large, approved)
