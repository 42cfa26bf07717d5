"""Everything can be done by keyboard."""

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from browser.lively import Lively
from browser.people import APPROVER, MANAGER, OPERATOR
from browser.visitors import Visitors
from orderflow_contracts.names import APPROVALS, ORDERS
from system.shop import Shop, new_id

MAX_STOPS = 400
FROM_THE_TOP = """() => {
    document.body.tabIndex = -1;
    document.body.focus();
    document.body.removeAttribute("tabindex");
}"""
FOCUSED = """() => {
    const e = document.activeElement;
    if (!e || e === document.body) return null;
    const style = getComputedStyle(e);
    const box = e.getBoundingClientRect();
    return {
        what: e.outerHTML.slice(0, 120),
        shows: (style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 1)
            || style.boxShadow !== "none",
        seen: box.width > 0 && box.height > 0 && box.bottom > 0 && box.top < innerHeight,
    };
}"""


@pytest.mark.parametrize("app", [APPROVALS, ORDERS])
def test_the_skip_link_comes_first(visitors: Visitors, app: str) -> None:
    """It is visible when focused, and leads past the menu to the content."""
    visitor = visitors(MANAGER)
    visitor.go(app)
    skip = visitor.page.get_by_role("link", name="Skip to the content")

    visitor.page.keyboard.press("Tab")
    expect(skip).to_be_focused()
    expect(skip).to_be_in_viewport(ratio=1)
    visitor.page.keyboard.press("Enter")

    expect(visitor.main).to_be_focused()


def test_every_control_can_be_focused_visibly(visitors: Visitors, lively: Lively) -> None:
    """Each link, button and field of each page is reachable by Tab, in view and visibly focused."""
    visitor = visitors(MANAGER)
    for page in lively.pages:
        visitor.go(page.app, page.path)
        stops = _stops(visitor.page)
        # A time field has several tab stops; after the first, the browser itself shows the focus.
        shown = {stop["what"] for stop in stops if stop["shows"] and stop["seen"]}
        hidden = {stop["what"] for stop in stops} - shown
        assert not hidden, (page, hidden)
        assert len(stops) >= _controls(visitor.page), page


def test_a_large_order_is_approved_by_keyboard(visitors: Visitors, shop: Shop) -> None:
    """The confirmation dialog starts with the focus on the way back."""
    order_id = shop.submit("cars", 11)
    shop.wait_approval(order_id, "pending")
    approver = visitors(APPROVER)
    approver.go(APPROVALS)
    keyboard = approver.page.keyboard

    _tab_to(
        approver.page, f"Comment (optional){order_id}", approver.card(order_id).locator("textarea")
    )
    keyboard.type("By keyboard.")
    keyboard.press("Tab")
    keyboard.press("Enter")
    expect(approver.heading).to_have_text("Approve $165,000.00?")
    expect(approver.page.get_by_role("button", name="Go back")).to_be_focused()
    keyboard.press("Shift+Tab")
    expect(approver.page.get_by_role("checkbox")).to_be_focused()
    keyboard.press("Space")
    keyboard.press("Tab")
    keyboard.press("Tab")
    keyboard.press("Enter")

    expect(approver.outcome).to_contain_text("You approved it.")
    assert shop.wait_approval(order_id, "approved")["comment"] == "By keyboard."


def test_a_smaller_order_is_denied_by_keyboard_in_place(visitors: Visitors, shop: Shop) -> None:
    """The outcome is shown, and the focus stays within the page's content."""
    order_id = shop.submit("cars", 4)
    shop.wait_approval(order_id, "pending")
    approver = visitors(APPROVER)
    approver.go(APPROVALS)
    approver.stay()

    deny = approver.card(order_id).get_by_role("button", name="Deny")
    _tab_to(approver.page, "Deny", deny)
    approver.page.keyboard.press("Enter")

    expect(approver.outcome).to_contain_text("You denied it.")
    approver.assert_stayed()
    shop.wait_approval(order_id, "denied")


def test_an_order_is_placed_by_keyboard(visitors: Visitors, shop: Shop) -> None:
    """Tab visits the form's fields in order, and Enter submits it."""
    order_id = new_id("keys")
    operator = visitors(OPERATOR)
    operator.go(ORDERS, "/board/new-order")
    keyboard = operator.page.keyboard

    _tab_to(operator.page, "Customer", operator.page.get_by_label("Customer"))
    for text in ("rio motors", order_id, "paperclip", "2"):
        keyboard.type(text)
        keyboard.press("Tab")
    keyboard.press("Shift+Tab")
    keyboard.press("Enter")

    expect(operator.heading).to_have_text(f"Order {order_id}")
    assert shop.wait_final(order_id)["lines"] == [{"item": "paperclip", "quantity": 2}]


def _tab_to(page: Page, what: str, target: Any) -> None:
    """Press Tab until this element has the focus."""
    for _ in range(MAX_STOPS):
        page.keyboard.press("Tab")
        if target.evaluate("e => e === document.activeElement"):
            return
    raise AssertionError(f"Tab does not lead to {what}")


def _stops(page: Page) -> list[dict[str, Any]]:
    """Tab through the whole page, and return the focused elements."""
    stops: list[dict[str, Any]] = []
    page.evaluate(FROM_THE_TOP)
    for _ in range(MAX_STOPS):
        page.keyboard.press("Tab")
        stop = page.evaluate(FOCUSED)
        if stop is None:
            return stops
        stops.append(stop)
    raise AssertionError(f"there is no end of Tab on {page.url}")


def _controls(page: Page) -> int:
    """Count the controls that can be used by a pointer."""
    count: int = page.evaluate(
        """() => [...document.querySelectorAll(
            "a[href], button, input:not([type=hidden]), select, textarea, summary")]
            .filter((e) => e.checkVisibility() && !e.disabled && e.tabIndex >= 0).length"""
    )
    return count
