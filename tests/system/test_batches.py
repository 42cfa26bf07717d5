"""Batches on the real platform: many orders at once, each processed once."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from orderflow_tools.platform import Platform
from system.shop import Shop, assert_records_agree, new_id, wait_for
from system.stores import Isolated


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, isolated: Isolated) -> Iterator[Shop]:
    """Run a platform that these tests may damage."""
    with Platform(isolated(tmp_path_factory.mktemp("batches"))) as running:
        shop = Shop(running)
        yield shop
        shop.close()


def submit(shop: Shop, batch_id: str, orders: list[Any]) -> None:
    data = {"batch_id": batch_id, "orders": orders}
    assert shop.publish("orders.batch-submitted", data).status_code == 204


def batch(shop: Shop, batch_id: str) -> dict[str, Any] | None:
    try:
        response = shop.http.get(shop.url("orders", f"/batches/{batch_id}"))
    except OSError:
        return None
    except Exception as error:
        if "httpx" in type(error).__module__:
            return None
        raise
    return response.json() if response.status_code == 200 else None


def wait_end(shop: Shop, batch_id: str, timeout: float = 120) -> dict[str, Any]:
    def ended() -> dict[str, Any] | None:
        found = batch(shop, batch_id)
        return found if found and found["ended_at"] else None

    return wait_for(f"batch {batch_id} to end", ended, timeout)


def published_summary(shop: Shop, batch_id: str) -> dict[str, Any]:
    """Wait for the summary on the topic; it may be published twice under the same event id."""

    def look() -> dict[str, Any] | None:
        events = [e for e in shop.stream("orders.batch-status") if e["subject"] == batch_id]
        assert len({(event["id"], str(event["data"])) for event in events}) <= 1
        return events[0] if events else None

    return wait_for(f"the summary of {batch_id}", look)


def small_orders(shop: Shop, count: int) -> list[dict[str, Any]]:
    shop.restock("paperclip", count)
    return [shop.order_data(new_id("batch")) for _ in range(count)]


def test_five_hundred_orders_end_with_one_summary(shop: Shop) -> None:
    """All orders finish; the topic and the service report the same result."""
    orders = small_orders(shop, 500)
    batch_id = new_id("big")
    submit(shop, batch_id, orders)
    ended = wait_end(shop, batch_id, 240)
    assert (ended["status"], ended["total"]) == ("completed", 500)
    assert (ended["counts"], ended["total_cents"]) == ({"completed": 500}, 500 * 5_00)
    assert [order["order_id"] for order in ended["orders"]] == [o["order_id"] for o in orders]
    event = published_summary(shop, batch_id)
    assert (event["id"], event["data"]["counts"]) == (f"{batch_id}.ended", {"completed": 500})
    listed = shop.http.get(shop.url("orders", "/batches"), params={"limit": 1}).json()["items"]
    assert listed[0]["batch_id"] == batch_id
    some = [shop.order(data["order_id"]) for data in orders[::25]]
    assert_records_agree(shop, [order for order in some if order])


def test_orders_of_a_batch_have_independent_outcomes(shop: Shop) -> None:
    """Each order gets its own outcome; one that waits for approval delays none of the others."""
    shop.restock()
    ids = {kind: new_id(kind) for kind in ("good", "dear", "large", "odd", "poor", "wrong")}
    batch_id = new_id("mixed")
    submit(
        shop,
        batch_id,
        [
            shop.order_data(ids["large"], "cars", 4),
            shop.order_data(ids["good"]),
            shop.order_data(ids["dear"], "cars", 1000),
            shop.order_data(ids["odd"], "boats"),
            shop.order_data(ids["poor"], customer="test-declined"),
            {"order_id": ids["wrong"], "item": "cars", "quantity": 0},
            {"item": "paperclip", "quantity": 2},
            "nothing",
        ],
    )
    shop.wait_status(ids["large"], "awaiting_approval")
    others = [order_id for kind, order_id in ids.items() if kind != "large"]
    shop.wait_all_final([*others, f"{batch_id}-7"])
    under_way = batch(shop, batch_id)
    assert under_way
    assert under_way["status"] == "running"
    shop.wait_approval(ids["large"], "pending")
    assert shop.decide(ids["large"], approved=True).status_code == 200
    ended = wait_end(shop, batch_id)
    assert [(entry["order_id"], entry["status"], entry["reason"]) for entry in ended["orders"]] == [
        (ids["large"], "completed", None),
        (ids["good"], "completed", None),
        (ids["dear"], "rejected", "out_of_stock"),
        (ids["odd"], "rejected", "unknown_item"),
        (ids["poor"], "rejected", "payment_declined"),
        (ids["wrong"], "rejected", "invalid"),
        (f"{batch_id}-7", "completed", None),
        (None, "rejected", "invalid"),
    ]
    assert ended["total_cents"] == 4 * 15_000_00 + 5_00 + 2 * 5_00
    assert published_summary(shop, batch_id)["data"]["counts"] == {"completed": 3, "rejected": 5}
    letters = [x for x in shop.dead_letters("orders") if x["event_id"].startswith(batch_id)]
    assert {dead_letter["event_id"] for dead_letter in letters} == {
        f"{batch_id}.6",
        f"{batch_id}.8",
    }
    assert shop.order(ids["wrong"])["status"] == "rejected"  # type: ignore[index]
    orders = [shop.order(order_id) for order_id in (*ids.values(), f"{batch_id}-7")]
    assert_records_agree(shop, [order for order in orders if order])


def test_a_batch_submitted_ten_times_runs_once(shop: Shop) -> None:
    """Duplicates before, during and after the run have no effect; other content is refused."""
    orders = small_orders(shop, 30)
    batch_id = new_id("same")
    for _ in range(10):
        submit(shop, batch_id, orders)
    ended = wait_end(shop, batch_id)
    assert ended["counts"] == {"completed": 30}
    submit(shop, batch_id, orders)
    submit(shop, batch_id, orders[:29])

    def refused() -> list[dict[str, Any]]:
        letters = shop.dead_letters("orders", topic="orders.batch-submitted")
        return [dead_letter for dead_letter in letters if batch_id in dead_letter["reason"]]

    (dead_letter,) = wait_for("the changed batch to be refused", refused)
    assert "other content" in dead_letter["reason"]
    assert batch(shop, batch_id) == ended
    assert all(shop.payments(data["order_id"]) == [("charge", 5_00)] for data in orders)


def test_an_order_also_submitted_outside_its_batch_is_processed_once(shop: Shop) -> None:
    """It is one order, whether submitted before the batch or while it runs."""
    orders = small_orders(shop, 60)
    early, late = orders[:5], orders[-5:]
    batch_id = new_id("also")
    for data in early:
        shop.publish("orders.submitted", data)
    submit(shop, batch_id, orders)
    wait_for("the batch", lambda: batch(shop, batch_id))
    for data in (*early, *late):
        shop.publish("orders.submitted", data)
    ended = wait_end(shop, batch_id)
    assert ended["counts"] == {"completed": 60}
    for data in orders:
        assert shop.payments(data["order_id"]) == [("charge", 5_00)]
    found = [shop.order(data["order_id"]) for data in orders]
    assert_records_agree(shop, [order for order in found if order])


def test_a_batch_completes_after_a_kill(shop: Shop) -> None:
    """After a process is killed, every order ends once, and so does the batch."""
    orders = small_orders(shop, 50)
    batch_id = new_id("killed")
    submit(shop, batch_id, orders)

    def has_begun() -> bool:
        found = batch(shop, batch_id)
        return bool(found and found["counts"].get("completed", 0) >= 3)

    wait_for("some orders to be done", has_begun)
    former = shop.platform.kill("orders")
    shop.platform.wait_for_restart("orders", former)
    ended = wait_end(shop, batch_id, 180)
    assert ended["counts"] == {"completed": 50}
    published_summary(shop, batch_id)
    found = [shop.order(data["order_id"]) for data in orders]
    assert_records_agree(shop, [order for order in found if order])


def test_forced_termination_cancels_the_unfinished_orders_of_a_batch(shop: Shop) -> None:
    """Completed orders stay completed; the rest are cancelled, as the summary says."""
    shop.restock()
    large = [shop.order_data(new_id("stop"), "cars", 4) for _ in range(3)]
    small = shop.order_data(new_id("stop"))
    batch_id = new_id("stopped")
    submit(shop, batch_id, [*large, small])
    for data in large:
        shop.wait_status(data["order_id"], "awaiting_approval")
    shop.wait_final(small["order_id"])
    path = shop.url("orders", f"/workflows/batch.{batch_id}/terminate")
    assert shop.http.post(path).status_code == 409
    assert shop.http.post(path, params={"force": True}).status_code == 202
    ended = wait_end(shop, batch_id)
    assert (ended["status"], ended["reason"]) == ("completed", "terminated_by_operator")
    assert ended["counts"] == {"cancelled": 3, "completed": 1}
    assert shop.stock("cars")["reserved"] == 0


GARBAGE: dict[str, Any] = {
    "batch_id": {"orders": [{"item": "paperclip", "quantity": 1}]},
    "orders": {"batch_id": "MARK", "orders": "cars"},
    "none": {"batch_id": "MARK", "orders": []},
    "many": {"batch_id": "MARK", "orders": [1] * 501},
    "list": ["MARK"],
    "text": "MARK",
}


@pytest.mark.parametrize("kind", GARBAGE)
def test_an_invalid_batch_envelope_becomes_a_dead_letter(shop: Shop, kind: str) -> None:
    """The dead letter names the invalid field, and no batch is created."""
    before = {x["id"] for x in shop.dead_letters("orders", topic="orders.batch-submitted")}
    batch_id = new_id("bad")
    data = GARBAGE[kind]
    if isinstance(data, dict) and "batch_id" in data:
        data = {**data, "batch_id": batch_id}
    assert shop.publish("orders.batch-submitted", data).status_code == 204
    dead_letter = wait_for(
        "the dead letter",
        lambda: [
            x
            for x in shop.dead_letters("orders", topic="orders.batch-submitted")
            if x["id"] not in before and x["reason"].startswith("invalid")
        ],
    )[0]
    field = {"none": "orders", "many": "orders", "list": "body", "text": "body"}.get(kind, kind)
    assert field in dead_letter["reason"]
    assert shop.http.get(shop.url("orders", f"/batches/{batch_id}")).status_code == 404


def test_batch_counts_match_the_orders(shop: Shop) -> None:
    """The counts in the list of batches match the statuses of each batch's orders."""
    for listed in shop.http.get(shop.url("orders", "/batches")).json()["items"]:
        found = batch(shop, listed["batch_id"])
        assert found
        assert listed["counts"] == dict(Counter(entry["status"] for entry in found["orders"]))
        assert listed == {key: value for key, value in found.items() if key != "orders"}
