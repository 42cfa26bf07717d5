"""Operators act on orders' own workflows, and the guarantees for each order still hold."""

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from orderflow_tools.platform import Platform
from system.shop import Shop, assert_records_agree, new_id, wait_for
from system.workflows import Workflows, expect, restart_orders

AWAY_FOR_LONG = "test-unavailable-99"
"""A customer for whom the payment provider is unavailable."""


def stopped_at(workflows: Workflows, status: str) -> str:
    """Return the id of an order that stays at this status."""
    shop = workflows.shop
    if status == "reserved":
        order_id = shop.submit("cars", 1, AWAY_FOR_LONG)
    else:
        order_id = shop.submit("cars", 4, AWAY_FOR_LONG if status == "approved" else "alice")
        shop.wait_approval(order_id, "pending")
        shop.wait_status(order_id, "awaiting_approval")
        if status == "approved":
            assert shop.decide(order_id, approved=True).status_code == 200
    shop.wait_status(order_id, status)
    return order_id


@contextmanager
def inventory_hanging(shop: Shop) -> Iterator[None]:
    """Suspend the inventory process, so that it does not answer."""
    shop.platform.kill("inventory", signal.SIGSTOP)
    try:
        yield
    finally:
        shop.platform.kill("inventory", signal.SIGCONT)


def assert_undone(shop: Shop, order_id: str) -> None:
    """Check that an order was cancelled by an operator and left nothing behind."""
    order = shop.wait_final(order_id, 90)
    assert (order["status"], order["reason"]) == ("cancelled", "terminated_by_operator")
    stock = wait_for(
        "the stock to be as before",
        lambda: shop.stock("cars") if shop.stock("cars")["available"] == 100 else None,
    )
    assert (stock["on_hand"], stock["reserved"]) == (100, 0)
    charged = sum(cents for kind, cents in shop.payments(order_id) if kind == "charge")
    refunded = sum(cents for kind, cents in shop.payments(order_id) if kind == "refund")
    assert charged == refunded
    wait_for(
        "its final status to be published",
        lambda: shop.published_statuses(order_id)[-1]["status"] == "cancelled",
    )
    assert_records_agree(shop, [order])


@pytest.mark.parametrize("status", ["reserved", "awaiting_approval", "approved"])
def test_a_forced_termination_rolls_an_order_back(workflows: Workflows, status: str) -> None:
    """A separate workflow undoes its steps, and the order ends as cancelled."""
    shop = workflows.shop
    shop.restock()
    order_id = stopped_at(workflows, status)
    expect(workflows.post(f"/{order_id}/terminate"), 409, "WORKFLOW_PROTECTED")
    assert workflows.status(order_id)["runtime_status"] == "RUNNING"

    expect(workflows.post(f"/{order_id}/terminate", force="true"), 202)

    assert_undone(shop, order_id)
    if status == "awaiting_approval":
        shop.wait_approval(order_id, "withdrawn")
    assert workflows.finished(order_id)["runtime_status"] == "TERMINATED"
    undo = workflows.finished(f"undo.{order_id}")
    assert (undo["name"], undo["output"]["status"]) == ("order_undo_workflow", "cancelled")
    expect(workflows.post(f"/{order_id}/terminate", force="true"), 409, "WORKFLOW_NOT_RUNNING")


def test_an_order_terminated_during_reservation_is_rolled_back(workflows: Workflows) -> None:
    """The reservation that was in flight has no effect."""
    shop = workflows.shop
    shop.restock()
    with inventory_hanging(shop):
        order_id = shop.submit("cars", 2)
        shop.wait_status(order_id, "received")
        workflows.wait_for_status(order_id, "RUNNING")

        expect(workflows.post(f"/{order_id}/terminate", force="true"), 202)

    assert_undone(shop, order_id)


def test_a_paid_order_is_rolled_back_and_refunded(workflows: Workflows) -> None:
    """Its goods were about to be shipped: the reservation is released and the payment refunded."""
    shop = workflows.shop
    shop.restock()
    order_id = stopped_at(workflows, "awaiting_approval")
    with inventory_hanging(shop):
        assert shop.decide(order_id, approved=True).status_code == 200
        shop.wait_status(order_id, "paid")

        expect(workflows.post(f"/{order_id}/terminate", force="true"), 202)

    assert_undone(shop, order_id)
    assert shop.payments(order_id) == [("charge", 60_000_00), ("refund", 60_000_00)]


def test_a_paused_order_can_be_terminated(workflows: Workflows) -> None:
    """The pause does not prevent the rollback."""
    shop = workflows.shop
    shop.restock()
    order_id = stopped_at(workflows, "awaiting_approval")
    expect(workflows.post(f"/{order_id}/pause"), 202)
    workflows.wait_for_status(order_id, "SUSPENDED")

    expect(workflows.post(f"/{order_id}/terminate", force="true"), 202)

    assert_undone(shop, order_id)


def terminate_bypassing_orders(workflows: Workflows, order_id: str) -> None:
    base = f"{workflows.platform.sidecar_url('orders')}/v1.0/workflows/dapr"
    assert workflows.shop.http.post(f"{base}/{order_id}/terminate").status_code == 202
    workflows.wait_for_status(order_id, "TERMINATED")


def test_an_order_terminated_through_the_engine_is_rolled_back_at_the_next_start(
    quick_platform: Platform,
) -> None:
    """Orders finds the terminated workflow when it starts."""
    shop = Shop(quick_platform)
    shop.restock()
    workflows = Workflows(shop)
    order_id = stopped_at(workflows, "awaiting_approval")
    terminate_bypassing_orders(workflows, order_id)
    assert shop.order(order_id)["status"] == "awaiting_approval"  # type: ignore[index]
    expect(workflows.post(f"/{order_id}/purge"), 409, "WORKFLOW_PROTECTED")

    restart_orders(quick_platform)

    assert_undone(shop, order_id)
    shop.wait_approval(order_id, "withdrawn")
    expect(workflows.post(f"/{order_id}/purge"), 202)
    shop.close()


def test_an_order_terminated_through_the_engine_can_be_rolled_back_on_request(
    workflows: Workflows,
) -> None:
    """Forcing its termination again needs no restart."""
    shop = workflows.shop
    shop.restock()
    order_id = stopped_at(workflows, "reserved")
    terminate_bypassing_orders(workflows, order_id)
    expect(workflows.post(f"/{order_id}/terminate"), 409, "WORKFLOW_NOT_RUNNING")

    expect(workflows.post(f"/{order_id}/terminate", force="true"), 202)

    assert_undone(shop, order_id)


def test_a_rollback_survives_a_kill(quick_platform: Platform) -> None:
    """The rollback goes on after orders and its sidecar are killed."""
    shop = Shop(quick_platform)
    shop.restock()
    workflows = Workflows(shop)
    order_id = stopped_at(workflows, "awaiting_approval")
    with inventory_hanging(shop):
        expect(workflows.post(f"/{order_id}/terminate", force="true"), 202)
        former = {name: quick_platform.kill(name) for name in ("orders", "orders-daprd")}
        for name, pid in former.items():
            quick_platform.wait_for_restart(name, pid)
    quick_platform.wait_until_ready()

    assert_undone(shop, order_id)
    shop.close()


def test_a_resumed_order_goes_on_where_it_was(workflows: Workflows) -> None:
    """A decision made during the pause is kept, and used after the resume."""
    shop = workflows.shop
    shop.restock()
    order_id = stopped_at(workflows, "awaiting_approval")
    expect(workflows.post(f"/{order_id}/pause"), 202)
    workflows.wait_for_status(order_id, "SUSPENDED")

    assert shop.decide(order_id, approved=True).status_code == 200
    time.sleep(1)  # enough time to go on, if the pause failed
    assert shop.order(order_id)["status"] == "awaiting_approval"  # type: ignore[index]
    expect(workflows.post(f"/{order_id}/resume"), 202)

    assert shop.wait_final(order_id)["status"] == "completed"


def test_operations_that_would_break_an_order_are_refused(workflows: Workflows) -> None:
    """A running order's workflow cannot be started, raised, rerun or purged; it stays as it is."""
    shop = workflows.shop
    shop.restock()
    order_id = stopped_at(workflows, "awaiting_approval")
    decision = {"approved": True, "approver": "eve", "comment": ""}
    refused: list[tuple[str, Any, str]] = [
        (f"/{order_id}/raise_event/approval_decided", decision, "WORKFLOW_PROTECTED"),
        (f"/{order_id}/raise_event/cancel_requested", None, "WORKFLOW_PROTECTED"),
        (f"/{order_id}/rerun?from_event=0", None, "WORKFLOW_PROTECTED"),
        (f"/{order_id}/purge", None, "WORKFLOW_STILL_RUNNING"),
        ("/order_processing_workflow/start", {}, "WORKFLOW_PROTECTED"),
        ("/order_undo_workflow/start", {}, "WORKFLOW_PROTECTED"),
        (
            f"/interactive_hello_workflow/start?instance_id={order_id}&replace=true",
            None,
            "WORKFLOW_ALREADY_EXISTS",
        ),
    ]
    for path, body, code in refused:
        expect(workflows.post(path, body), 409, code)
    its_rollback = f"/interactive_hello_workflow/start?instance_id=undo.{order_id}"
    expect(workflows.post(its_rollback), 422, "INVALID_INPUT")

    assert workflows.status(order_id)["runtime_status"] == "RUNNING"
    assert shop.decide(order_id, approved=True).status_code == 200
    order = shop.wait_final(order_id)
    assert order["status"] == "completed"
    assert_records_agree(shop, [order])


def test_the_history_of_a_finished_order_can_be_purged(workflows: Workflows) -> None:
    """Its id still cannot be reused, and a late duplicate has no effect."""
    shop = workflows.shop
    shop.restock()
    order_id = new_id()
    data = shop.order_data(order_id, "paperclip", 2)
    shop.submit_until_accepted(data)
    before = shop.wait_final(order_id)
    workflows.finished(order_id)
    expect(workflows.post(f"/{order_id}/rerun", from_event=0), 409, "WORKFLOW_PROTECTED")

    expect(workflows.post(f"/{order_id}/purge"), 202)

    expect(workflows.get(f"/{order_id}/status"), 404, "WORKFLOW_NOT_FOUND")
    taken = workflows.post("/interactive_hello_workflow/start", instance_id=order_id)
    expect(taken, 409, "WORKFLOW_ALREADY_EXISTS")
    shop.submit_until_accepted(data)
    shop.wait_final(shop.submit("paperclip", 1))
    assert shop.order(order_id) == before
    assert shop.payments(order_id) == [("charge", 10_00)]
    expect(workflows.get(f"/{order_id}/status"), 404, "WORKFLOW_NOT_FOUND")
