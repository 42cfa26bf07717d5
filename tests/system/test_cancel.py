"""Orders are cancelled whatever they wait for, and workflows started by hand have no effect."""

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import pytest

from system.shop import Shop, assert_records_agree, new_id, wait_for

PROMISED_SECONDS = 2.0
"""Within this time a cancelled order has its final status."""
SLOWNESS_SECONDS = 3.0
"""What the request, and reading the order, may take on a busy machine."""


def cancel(shop: Shop, order_id: str) -> dict[str, Any]:
    """Cancel an order; return it as it ended, without waiting longer than promised."""
    response = shop.http.post(shop.url("orders", f"/orders/{order_id}/cancel"))
    assert response.status_code == 202, response.text
    accepted_at = time.time()
    order = shop.wait_final(order_id, PROMISED_SECONDS + SLOWNESS_SECONDS)
    ended_after = parsed(order["history"][-1]["at"]) - accepted_at
    assert ended_after <= PROMISED_SECONDS, order
    assert (order["status"], order["reason"]) == ("cancelled", "cancelled_on_request")
    return order


def parsed(moment: str) -> float:
    """Return a time in seconds since 1970."""
    return datetime.fromisoformat(moment).timestamp()


@contextmanager
def frozen(shop: Shop, name: str) -> Iterator[None]:
    """Stop a process for a while."""
    shop.platform.kill(name, signal.SIGSTOP)
    try:
        yield
    finally:
        shop.platform.kill(name, signal.SIGCONT)


def workflows(shop: Shop) -> str:
    """Return the address of the sidecar's own API of workflows."""
    return f"{shop.platform.sidecar_url('orders')}/v1.0/workflows/dapr"


def test_nothing_is_charged_while_the_provider_is_retried(shop: Shop) -> None:
    """The customer is not charged; the stock is available again."""
    before = shop.stock("paperclip")
    order_id = shop.submit("paperclip", 3, "test-unavailable-99")
    shop.wait_status(order_id, "reserved")

    order = cancel(shop, order_id)

    wait_for("the stock to be released", lambda: shop.stock("paperclip") == before)
    assert shop.payments(order_id) == []
    assert_records_agree(shop, [order])


@pytest.mark.parametrize("item", ["paperclip", "cars"])
def test_an_order_is_cancelled_while_inventory_is_away(shop: Shop, item: str) -> None:
    """It ends at once, and is compensated when inventory is back."""
    before = shop.stock(item)
    with frozen(shop, "inventory"):
        order_id = shop.submit(item, 5)
        shop.wait_status(order_id, "received")
        order = cancel(shop, order_id)

    wait_for("the stock to be released", lambda: shop.stock(item) == before)
    assert shop.payments(order_id) == []
    assert_records_agree(shop, [order])


def test_an_order_is_cancelled_while_its_approval_is_awaited_and_inventory_is_away(
    shop: Shop,
) -> None:
    """The request is withdrawn, and the stock is released later."""
    before = shop.stock("cars")
    order_id = shop.submit("cars", 5)
    shop.wait_approval(order_id, "pending")
    with frozen(shop, "inventory"):
        cancel(shop, order_id)
        shop.wait_approval(order_id, "withdrawn")

    wait_for("the stock to be released", lambda: shop.stock("cars") == before)


def test_a_cancelled_order_is_compensated_although_orders_is_killed(shop: Shop) -> None:
    """The next process goes on."""
    before = shop.stock("paperclip")
    with frozen(shop, "inventory"):
        order_id = shop.submit("paperclip", 5)
        shop.wait_status(order_id, "received")
        cancel(shop, order_id)
        former = shop.platform.kill("orders")
        shop.platform.wait_for_restart("orders", former)

    shop.platform.wait_until_ready()
    wait_for("the stock to be released", lambda: shop.stock("paperclip") == before)


def test_a_charge_without_an_answer_is_found_out_and_refunded(shop: Shop) -> None:
    """The provider is asked what became of it before the order ends."""
    order_id = shop.submit("paperclip", 2, "test-silent-3")

    def was_sent() -> bool:
        history = shop.http.get(shop.url("orders", f"/workflows/{order_id}/history"))
        found = history.json()["items"] if history.is_success else []
        return any(event["type"] == "task_failed" for event in found)

    wait_for("the first charge", was_sent)
    response = shop.http.post(shop.url("orders", f"/orders/{order_id}/cancel"))
    assert response.status_code == 202

    order = shop.wait_final(order_id)

    assert order["status"] == "cancelled"
    assert shop.payments(order_id) == [("charge", 10_00), ("refund", 10_00)]
    assert_records_agree(shop, [order])


def test_a_decision_that_nobody_made_changes_nothing(shop: Shop) -> None:
    """An event raised through the sidecar is no decision; the one on record is."""
    order_id = shop.submit("cars", 4)
    shop.wait_approval(order_id, "pending")
    address = f"{workflows(shop)}/{order_id}"
    decision = {"approved": True, "approver": "nobody", "comment": ""}

    for event, data in (("approval_decided", decision), ("cancel_requested", None)):
        raised = shop.http.post(f"{address}/raiseEvent/{event}", json=data)
        assert raised.status_code == 202, raised.text

    def was_read() -> bool:
        history = shop.http.get(shop.url("orders", f"/workflows/{order_id}/history")).json()
        read = [
            event["type"]
            for event in history["items"]
            if event["name"] == "confirm_decision_activity"
        ]
        return read.count("task_completed") == 2

    wait_for("both events to be looked into", was_read)
    assert shop.order(order_id)["status"] == "awaiting_approval"  # type: ignore[index]
    assert shop.approval(order_id)["status"] == "pending"  # type: ignore[index]
    assert shop.decide(order_id, approved=False).status_code == 200
    assert shop.wait_final(order_id)["reason"] == "denied"


@pytest.mark.parametrize("is_known", [False, True])
def test_a_workflow_that_orders_did_not_start_has_no_effect(shop: Shop, *, is_known: bool) -> None:
    """It reserves nothing and charges nothing, whether the order exists or not."""
    order_id = shop.submit("cars", 1) if is_known else new_id("ghost")
    if is_known:
        shop.wait_final(order_id)
        instance = shop.url("orders", f"/workflows/{order_id}/wait?timeout_seconds=20")
        assert shop.http.get(instance, timeout=30).status_code == 200
    before, payments = shop.stock("cars"), shop.payments(order_id)
    run = {
        "order_id": order_id,
        "run_id": "made-up",
        "customer_id": "nobody",
        "lines": [{"item": "cars", "quantity": 5}],
        "approval_threshold_cents": 10**9,
        "approval_timeout_seconds": 3600,
        "retry_timeout_seconds": 60,
    }

    started = shop.http.post(
        f"{workflows(shop)}/order_processing_workflow/start?instanceID={order_id}", json=run
    )
    assert started.status_code == 202, started.text

    wait = shop.url("orders", f"/workflows/{order_id}/wait?timeout_seconds=20")
    ended = shop.http.get(wait, timeout=30).json()
    assert ended["output"]["status"] == "superseded"
    assert shop.stock("cars") == before
    assert shop.payments(order_id) == payments
