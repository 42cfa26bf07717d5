"""Orders' own workflows under an operator's hands: no promise of an order is broken."""

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from orderflow_tools.platform import Platform
from system.shop import Shop, assert_books_agree, new_id, wait_for
from system.workflows import Workflows, expect, restart_orders

AWAY_FOR_LONG = "test-unavailable-99"
"""A customer for whom the payment provider is away."""


def stopped_at(workflows: Workflows, status: str) -> str:
    """Have an order that stays at this status, and return its id."""
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
    """Keep inventory from answering, without ending it."""
    shop.platform.kill("inventory", signal.SIGSTOP)
    try:
        yield
    finally:
        shop.platform.kill("inventory", signal.SIGCONT)


def assert_undone(shop: Shop, order_id: str) -> None:
    """Check that an order ended as terminated by an operator, and left nothing behind."""
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
    wait_for("its end to be told", lambda: shop.told(order_id)[-1]["status"] == "cancelled")
    assert_books_agree(shop, [order])


@pytest.mark.parametrize("status", ["reserved", "awaiting_approval", "approved"])
def test_a_forced_termination_undoes_an_order(workflows: Workflows, status: str) -> None:
    """Whatever it did is undone by a workflow of its own, and the order ends as cancelled."""
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
    undo = workflows.finished(f"undo-of-order-{order_id}")
    assert (undo["name"], undo["output"]["status"]) == ("order_undo_workflow", "cancelled")
    expect(workflows.post(f"/{order_id}/terminate", force="true"), 409, "WORKFLOW_NOT_RUNNING")


def test_an_order_that_is_being_reserved_is_undone(workflows: Workflows) -> None:
    """The reservation that was on its way when the order was stopped has no effect."""
    shop = workflows.shop
    shop.restock()
    with inventory_hanging(shop):
        order_id = shop.submit("cars", 2)
        shop.wait_status(order_id, "received")
        workflows.until(order_id, "RUNNING")

        expect(workflows.post(f"/{order_id}/terminate", force="true"), 202)

    assert_undone(shop, order_id)


def test_an_order_that_is_paid_is_undone(workflows: Workflows) -> None:
    """Its goods were on their way off the shelf: they are back, and the money is refunded."""
    shop = workflows.shop
    shop.restock()
    order_id = stopped_at(workflows, "awaiting_approval")
    with inventory_hanging(shop):
        assert shop.decide(order_id, approved=True).status_code == 200
        shop.wait_status(order_id, "paid")

        expect(workflows.post(f"/{order_id}/terminate", force="true"), 202)

    assert_undone(shop, order_id)
    assert shop.payments(order_id) == [("charge", 60_000_00), ("refund", 60_000_00)]


def test_a_paused_order_is_undone(workflows: Workflows) -> None:
    """A pause stands in nobody's way."""
    shop = workflows.shop
    shop.restock()
    order_id = stopped_at(workflows, "awaiting_approval")
    expect(workflows.post(f"/{order_id}/pause"), 202)
    workflows.until(order_id, "SUSPENDED")

    expect(workflows.post(f"/{order_id}/terminate", force="true"), 202)

    assert_undone(shop, order_id)


def terminate_past_the_service(workflows: Workflows, order_id: str) -> None:
    base = f"{workflows.platform.sidecar_url('orders')}/v1.0/workflows/dapr"
    assert workflows.shop.http.post(f"{base}/{order_id}/terminate").status_code == 202
    workflows.until(order_id, "TERMINATED")


def test_an_order_that_was_terminated_past_the_service_is_undone_at_its_start(
    quick_platform: Platform,
) -> None:
    """Whoever goes past orders breaks nothing for longer than until its next start."""
    shop = Shop(quick_platform)
    shop.restock()
    workflows = Workflows(shop)
    order_id = stopped_at(workflows, "awaiting_approval")
    terminate_past_the_service(workflows, order_id)
    assert shop.order(order_id)["status"] == "awaiting_approval"  # type: ignore[index]
    expect(workflows.post(f"/{order_id}/purge"), 409, "WORKFLOW_PROTECTED")

    restart_orders(quick_platform)

    assert_undone(shop, order_id)
    shop.wait_approval(order_id, "withdrawn")
    expect(workflows.post(f"/{order_id}/purge"), 202)
    shop.close()


def test_an_order_that_was_terminated_past_the_service_is_undone_on_demand(
    workflows: Workflows,
) -> None:
    """Forcing its termination once more needs no restart."""
    shop = workflows.shop
    shop.restock()
    order_id = stopped_at(workflows, "reserved")
    terminate_past_the_service(workflows, order_id)
    expect(workflows.post(f"/{order_id}/terminate"), 409, "WORKFLOW_NOT_RUNNING")

    expect(workflows.post(f"/{order_id}/terminate", force="true"), 202)

    assert_undone(shop, order_id)


def test_an_order_is_killed_while_it_is_undone(quick_platform: Platform) -> None:
    """The undoing outlives orders and its sidecar, too."""
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


def test_a_paused_order_goes_on_where_it_was(workflows: Workflows) -> None:
    """A decision that is made while it is paused is kept, and taken when it is resumed."""
    shop = workflows.shop
    shop.restock()
    order_id = stopped_at(workflows, "awaiting_approval")
    expect(workflows.post(f"/{order_id}/pause"), 202)
    workflows.until(order_id, "SUSPENDED")

    assert shop.decide(order_id, approved=True).status_code == 200
    time.sleep(1)  # time to go on, if it did
    assert shop.order(order_id)["status"] == "awaiting_approval"  # type: ignore[index]
    expect(workflows.post(f"/{order_id}/resume"), 202)

    assert shop.wait_final(order_id)["status"] == "completed"


def test_what_would_break_an_order_is_refused(workflows: Workflows) -> None:
    """Neither start, nor raise, nor rerun, nor purge while it goes on; the order stays as it is."""
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
        (
            f"/interactive_hello_workflow/start?instance_id=undo-of-order-{order_id}",
            None,
            "WORKFLOW_ALREADY_EXISTS",
        ),
    ]
    for path, body, code in refused:
        expect(workflows.post(path, body), 409, code)

    assert workflows.status(order_id)["runtime_status"] == "RUNNING"
    assert shop.decide(order_id, approved=True).status_code == 200
    order = shop.wait_final(order_id)
    assert order["status"] == "completed"
    assert_books_agree(shop, [order])


def test_the_history_of_an_order_that_ended_may_go(workflows: Workflows) -> None:
    """Afterwards its id is no freer than before, and a late duplicate has no effect."""
    shop = workflows.shop
    shop.restock()
    order_id = new_id()
    data = shop.order_data(order_id, "paperclip", 2)
    shop.submit_stubbornly(data)
    before = shop.wait_final(order_id)
    workflows.finished(order_id)
    expect(workflows.post(f"/{order_id}/rerun", from_event=0), 409, "WORKFLOW_PROTECTED")

    expect(workflows.post(f"/{order_id}/purge"), 202)

    expect(workflows.get(f"/{order_id}/status"), 404, "WORKFLOW_NOT_FOUND")
    taken = workflows.post("/interactive_hello_workflow/start", instance_id=order_id)
    expect(taken, 409, "WORKFLOW_ALREADY_EXISTS")
    shop.submit_stubbornly(data)
    shop.wait_final(shop.submit("paperclip", 1))
    assert shop.order(order_id) == before
    assert shop.payments(order_id) == [("charge", 10_00)]
    expect(workflows.get(f"/{order_id}/status"), 404, "WORKFLOW_NOT_FOUND")
