"""The lifecycle of a large order, on the pages only."""

import re

from playwright.sync_api import expect

from browser.people import APPROVER, OPERATOR
from browser.visitors import Visitors
from orderflow_contracts.names import APPROVALS, ORDERS
from system.shop import Shop, new_id


def test_a_large_order_is_placed_approved_and_completed_on_the_pages(
    visitors: Visitors, shop: Shop
) -> None:
    """It is placed on the board, approved in the inbox, and completed on the board."""
    operator, manager = visitors(OPERATOR), visitors(APPROVER)
    order_id = new_id("journey")
    manager.go(APPROVALS)

    operator.go(ORDERS)
    operator.page.get_by_role("button", name="Place an order").click()
    operator.place(order_id, "rio motors", "cars", 11)
    expect(operator.page).to_have_url(re.compile(f"/board/orders/{order_id}"))
    expect(operator.status).to_have_text("awaiting approval")

    card = manager.card(order_id)
    for words in ("rio motors", "11 \N{MULTIPLICATION SIGN} cars", "$165,000.00", "Time left"):
        expect(card).to_contain_text(words)
    card.get_by_label("Comment").fill("For the new branch.")
    card.get_by_role("button", name="Approve").click()
    expect(manager.heading).to_have_text("Approve $165,000.00?")
    expect(manager.main).to_contain_text("For the new branch.")
    manager.page.get_by_role("checkbox", name="Yes, I approve $165,000.00").check()
    manager.page.get_by_role("button", name="Approve $165,000.00").click()
    expect(manager.outcome).to_contain_text(f"Order {order_id}, $165,000.00: You approved it.")

    expect(operator.status).to_have_text("completed")
    story = operator.main.locator("ol.timeline")
    expect(story).to_contain_text("approved")
    expect(operator.main).to_contain_text("$165,000.00")
    assert [entry["status"] for entry in (shop.order(order_id) or {})["history"]] == [
        "received",
        "reserved",
        "awaiting_approval",
        "approved",
        "paid",
        "completed",
    ]

    operator.page.get_by_role("button", name="Open the approval").click()
    operator.assert_signed_in(APPROVALS, OPERATOR)
    decision = operator.page.get_by_role("list", name="Decisions")
    expect(decision).to_contain_text(f"Approved by {APPROVER}")
    expect(decision).to_contain_text("For the new branch.")


def test_cancelling_an_order_asks_for_confirmation(visitors: Visitors, shop: Shop) -> None:
    """The page says what will happen; going back does nothing, confirming cancels the order."""
    operator = visitors(OPERATOR)
    reserved = shop.stock("cars")["reserved"]
    order_id = shop.submit("cars", 11)
    shop.wait_status(order_id, "awaiting_approval")
    operator.go(ORDERS, f"/board/orders/{order_id}")

    operator.page.get_by_role("button", name="Cancel the order").click()
    expect(operator.heading).to_have_text(f"Cancel order {order_id}?")
    operator.page.get_by_role("button", name="Go back").click()
    expect(operator.heading).to_have_text(f"Order {order_id}")
    operator.page.get_by_role("button", name="Cancel the order").click()
    operator.page.get_by_role("button", name="Cancel the order").click()

    expect(operator.status).to_have_text("cancelled")
    assert shop.wait_final(order_id)["status"] == "cancelled"
    assert shop.stock("cars")["reserved"] == reserved


def test_an_invalid_order_form_names_the_fields_and_keeps_the_input(
    visitors: Visitors, shop: Shop
) -> None:
    """The order is not placed; each error is shown at its field."""
    operator = visitors(OPERATOR)
    operator.forgive_status(422)
    operator.go(ORDERS, "/board/new-order")

    order_id = new_id("mended")

    operator.place(order_id, "rio motors", "cars", "a few")

    field = operator.page.get_by_label("Quantity").first
    expect(field).to_have_attribute("aria-invalid", "true")
    expect(field).to_have_value("a few")
    expect(operator.page.get_by_label("Customer")).to_have_value("rio motors")
    assert shop.order(order_id) is None
    operator.place(order_id, "rio motors", "cars", 2)
    expect(operator.heading).to_have_text(f"Order {order_id}")
    shop.wait_status(order_id, "completed")
