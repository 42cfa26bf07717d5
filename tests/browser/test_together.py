"""Several people at once: each sees the others' changes without reloading."""

import re

import pytest
from playwright.sync_api import expect

from browser.people import APPROVER, MANAGER, SECOND_APPROVER, VIEWER
from browser.visitors import Visitors
from orderflow_contracts.names import APPROVALS, ORDERS
from system.shop import Shop

DEAF = """
SharedWorker = class {
    constructor() { this.port = { postMessage() {} }; }
};
"""


def test_the_second_of_two_deciders_sees_who_was_first(visitors: Visitors, shop: Shop) -> None:
    """Only the first decision is recorded."""
    order_id = shop.submit("cars", 4)
    shop.wait_approval(order_id, "pending")
    first, second = visitors(APPROVER), visitors(SECOND_APPROVER)
    second.forgive_status(409)
    first.go(APPROVALS, f"/inbox/requests/{order_id}")
    second.go(APPROVALS, f"/inbox/requests/{order_id}")
    form = second.main.locator("form.decision")
    expect(form).to_be_visible()
    # The second one decides before the page has received the first decision.
    second.context.add_init_script(DEAF)
    second.forgive_lost_connection()
    second.page.reload()

    first.main.get_by_role("button", name="Approve").click()
    expect(first.outcome).to_contain_text("You approved it.")
    second.page.get_by_label("Comment").fill("Too dear.")
    second.main.get_by_role("button", name="Deny").click()

    refusal = second.page.get_by_role("alert")
    expect(refusal).to_contain_text(f"Your denial of order {order_id} was not recorded.")
    expect(refusal).to_contain_text(f"Approved by {APPROVER}.")
    assert shop.wait_final(order_id)["status"] == "completed"
    approval = shop.approval(order_id)
    assert approval is not None
    assert (approval["status"], approval["approver"]) == ("approved", APPROVER)


def test_a_decided_request_changes_in_an_open_inbox(visitors: Visitors, shop: Shop) -> None:
    """The card shows who decided, and loses its buttons."""
    first, second = visitors(APPROVER), visitors(SECOND_APPROVER)
    for visitor in (first, second):
        visitor.go(APPROVALS)
        visitor.stay()
    order_id = shop.submit("cars", 4)

    first.card(order_id).get_by_label("Comment").fill("Not now.")
    first.card(order_id).get_by_role("button", name="Deny").click()

    expect(first.outcome).to_contain_text("You denied it.")
    card = second.card(order_id)
    expect(card).to_contain_text(f"Denied by {APPROVER}.")
    expect(card).to_contain_text("Not now.")
    expect(card.get_by_role("button")).to_have_count(0)
    first.assert_stayed()
    second.assert_stayed()
    assert shop.wait_final(order_id)["reason"] == "denied"


def test_a_withdrawn_request_shows_the_reason(visitors: Visitors, shop: Shop) -> None:
    """When the order is cancelled, the open inbox says so."""
    approver = visitors(APPROVER)
    approver.go(APPROVALS)
    approver.stay()
    order_id = shop.submit("cars", 4)
    expect(approver.card(order_id).get_by_role("button", name="Approve")).to_be_visible()

    assert shop.http.post(shop.url("orders", f"/orders/{order_id}/cancel")).status_code == 202

    card = approver.card(order_id)
    expect(card).to_contain_text("withdrawn")
    expect(card).to_contain_text(re.compile("Withdrawn: .*cancel"))
    expect(card.get_by_role("button")).to_have_count(0)
    approver.assert_stayed()


def test_typed_text_survives_live_updates(visitors: Visitors, shop: Shop) -> None:
    """An unfinished comment, the cursor and the focus stay during updates."""
    approver = visitors(APPROVER)
    order_id = shop.submit("cars", 4)
    shop.wait_approval(order_id, "pending")
    approver.go(APPROVALS)
    comment = approver.card(order_id).get_by_label("Comment")
    comment.press_sequentially("Half a thou")

    other = shop.submit("cars", 4)
    expect(approver.card(other)).to_be_visible()
    approver.page.keyboard.type("ght")
    shop.decide(other, approved=False)
    expect(approver.card(other)).to_contain_text("Denied by mallory.")
    approver.page.keyboard.type(", whole.")

    expect(comment).to_have_value("Half a thought, whole.")
    expect(comment).to_be_focused()
    approver.card(order_id).get_by_role("button", name="Deny").click()
    expect(approver.outcome).to_contain_text("You denied it.")
    approval = shop.wait_approval(order_id, "denied")
    assert approval["comment"] == "Half a thought, whole."


@pytest.mark.parametrize("path", ["/", "/?customer=live+wire"])
def test_the_open_board_updates_itself(visitors: Visitors, shop: Shop, path: str) -> None:
    """New orders appear, and statuses and counts change."""
    viewer = visitors(VIEWER)
    viewer.go(ORDERS, path)
    viewer.stay()
    waiting = viewer.chip("awaiting approval")
    before = viewer.count(waiting)

    order_id = shop.submit("cars", 4, "live wire")
    row = viewer.page.get_by_role("row").filter(has_text=order_id)
    expect(row).to_contain_text("awaiting approval")
    expect(waiting).to_contain_text(f"{before + 1}")
    shop.wait_approval(order_id, "pending")
    shop.decide(order_id, approved=True)

    expect(row).to_contain_text("completed")
    expect(waiting).to_contain_text(f"{before}")
    viewer.assert_stayed()


def test_an_open_order_page_follows_the_order_to_its_end(visitors: Visitors, shop: Shop) -> None:
    """After the final status it makes no more requests."""
    manager = visitors(MANAGER)
    order_id = shop.submit("cars", 4)
    shop.wait_approval(order_id, "pending")
    manager.go(ORDERS, f"/board/orders/{order_id}")
    manager.stay()
    expect(manager.main).to_contain_text("Reserved for this order:")
    expect(manager.main).to_contain_text("Nothing charged yet.")

    shop.decide(order_id, approved=True)

    expect(manager.status).to_have_text("completed")
    expect(manager.main).to_contain_text("everything has been shipped")
    expect(manager.main.get_by_role("cell", name="$60,000.00").first).to_be_visible()
    expect(manager.page.get_by_role("button", name="Cancel the order")).to_have_count(0)
    manager.assert_stayed()


def test_an_unfolded_section_stays_open(visitors: Visitors, shop: Shop) -> None:
    """Live updates do not fold it again."""
    manager = visitors(MANAGER)
    order_id = shop.submit("cars", 4)
    shop.wait_status(order_id, "awaiting_approval")
    manager.go(ORDERS, f"/board/workflows/{order_id}")
    manager.stay()
    details = manager.main.locator("details", has_text="Input").first
    details.locator("summary").click()
    with manager.page.expect_response(re.compile(f"/board/workflows/{order_id}$")):
        pass
    with manager.page.expect_response(re.compile(f"/board/workflows/{order_id}$")):
        pass

    expect(details).to_have_attribute("open", "")
    manager.assert_stayed()
    shop.decide(order_id, approved=False)
