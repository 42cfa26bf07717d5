"""Text that looks like markup, in every field that others fill in."""

import re
from datetime import timedelta
from typing import Final

import pytest
from playwright.sync_api import expect

from browser.people import MANAGER
from browser.visitors import Visitor, Visitors
from orderflow_contracts.fields import now
from orderflow_contracts.names import APPROVALS, ORDERS
from system.shop import Shop, new_id, wait_for

MARKUP: Final = """</td><script>alert(1)</script><img src=x onerror=alert(2)>"'{{7*7}}&lt;b"""


@pytest.fixture
def reader(visitors: Visitors) -> Visitor:
    """Sign in a visitor who may see everything."""
    return visitors(MANAGER)


def test_markup_in_an_order_is_text_on_the_board(reader: Visitor, shop: Shop) -> None:
    """Customer and item are escaped in lists, searches, forms and on the order's page."""
    order_id = shop.submit(MARKUP, 1, MARKUP)
    shop.wait_status(order_id, "rejected")

    for path in (
        f"/?id={order_id}",
        f"/board/orders/{order_id}",
        f"/board/workflows/{order_id}",
    ):
        reader.go(ORDERS, path)
        _assert_is_text(reader)
    reader.go(ORDERS)
    reader.search("Customer", MARKUP)
    expect(reader.page.get_by_label("Customer")).to_have_value(MARKUP)
    expect(reader.page.get_by_role("link", name=order_id)).to_be_visible()
    _assert_is_text(reader)


def test_markup_in_a_request_and_its_decision_is_text(reader: Visitor, shop: Shop) -> None:
    """Customer, item and comment are escaped, before and after the decision."""
    order_id = new_id("markup")
    _request(shop, order_id)
    for path in ("/", f"/inbox/requests/{order_id}"):
        reader.go(APPROVALS, path)
        _assert_is_text(reader)
    reader.page.get_by_label("Comment").fill(MARKUP)
    reader.page.get_by_role("button", name="Deny").click()
    expect(reader.heading).to_have_text("Deny $150,000.00?")
    _assert_is_text(reader)
    reader.page.get_by_role("checkbox").check()
    reader.page.get_by_role("button", name="Deny $150,000.00").click()
    expect(reader.outcome).to_contain_text("You denied it.")

    for path in (f"/inbox/requests/{order_id}", f"/inbox/decided?order_id={order_id}"):
        reader.go(APPROVALS, path)
        expect(reader.main).to_contain_text(MARKUP)
        _assert_is_text(reader)
    reader.go(APPROVALS, f"/inbox/audit?subject={order_id}")
    _assert_is_text(reader)


def test_markup_in_a_reason_is_text(reader: Visitor, shop: Shop) -> None:
    """The reason of a withdrawal is escaped, on the open page, too."""
    order_id = new_id("markup")
    reader.go(APPROVALS)
    _request(shop, order_id)
    expect(reader.card(order_id)).to_be_visible()

    shop.publish("approvals.withdrawn", {"order_id": order_id, "reason": MARKUP})

    expect(reader.card(order_id)).to_contain_text("withdrawn")
    _assert_is_text(reader)
    reader.go(APPROVALS, f"/inbox/requests/{order_id}")
    _assert_is_text(reader)


def test_markup_in_a_dead_letter_is_text(reader: Visitor, shop: Shop) -> None:
    """The payload is shown as it arrived."""
    marker = new_id("dead")
    shop.publish("orders.submitted", {"order_id": MARKUP, "customer_id": marker, MARKUP: [MARKUP]})
    (letter,) = wait_for(
        "the dead letter",
        lambda: shop.dead_letters_with("orders", marker),
    )

    reader.go(ORDERS, "/board/dead-letters")
    expect(reader.main.get_by_role("article").first).to_be_attached()
    reader.go(ORDERS, f"/board/dead-letters/{letter['id']}")
    expect(reader.main).to_contain_text(marker)
    _assert_is_text(reader)


def test_markup_in_a_workflow_is_text(reader: Visitor, shop: Shop) -> None:
    """Input, output and events of a workflow are escaped."""
    suffix = new_id("markup")
    url = shop.url("orders", f"/workflows/start/{suffix}")
    assert shop.http.post(url, params={"user_name": MARKUP[:60]}).status_code == 202

    reader.go(ORDERS, f"/board/workflows/iwf-{suffix}")
    _assert_is_text(reader, MARKUP[:30])
    reader.go(ORDERS, f"/board/workflows/iwf-{suffix}/raise")
    reader.page.get_by_label("Event name").fill("answer")
    reader.page.get_by_label("Payload").fill(f'["{MARKUP[:30]}"]')
    reader.page.get_by_role("button", name="Review …").click()
    _assert_is_text(reader, MARKUP[:30])


@pytest.mark.parametrize("app", [APPROVALS, ORDERS])
def test_markup_in_an_address_is_text(visitors: Visitors, app: str) -> None:
    """Text from the URL is escaped by the page that shows it."""
    reader = visitors(MANAGER)
    reader.forgive_status(404, 409, 422)
    reader.watch.forgive("does not conform to the required format")  # a time, in its field
    quoted = "%3Cscript%3Ealert(1)%3C%2Fscript%3E%3Cimg%20src%3Dx%20onerror%3Dalert(2)%3E"
    pages = {
        APPROVALS: (
            f"/inbox/requests/{quoted}",
            f"/inbox/decided?text={quoted}&since={quoted}&status={quoted}",
            f"/inbox/audit?subject={quoted}",
            f"/{quoted}",
            f"/?after={quoted}&done={quoted}&shown={quoted}",
        ),
        ORDERS: (
            f"/board/orders/{quoted}",
            f"/?id={quoted}&customer={quoted}&item={quoted}&status={quoted}&since={quoted}",
            f"/board/workflows?name={quoted}&status={quoted}&find={quoted}",
            f"/board/workflows/{quoted}",
            f"/board/batches/{quoted}",
            f"/board/audit?subject={quoted}",
            f"/?after={quoted}",
        ),
    }
    for path in pages[app]:
        reader.go(app, path)
        _assert_nothing_lives(reader)


def _request(shop: Shop, order_id: str) -> None:
    """Request an approval as orders does, for an item that no shop has."""
    data = {
        "order_id": order_id,
        "customer_id": MARKUP,
        "lines": [{"item": MARKUP, "quantity": 3}],
        "total_cents": 150_000_00,
        "expires_at": (now() + timedelta(hours=1)).isoformat(),
    }
    assert shop.publish("approvals.requested", data).status_code == 204
    shop.wait_approval(order_id, "pending")


def _assert_is_text(reader: Visitor, markup: str = MARKUP) -> None:
    """Check that the page shows the markup as text, and that it had no effect."""
    whole = reader.main.inner_text() + str(
        reader.main.evaluate("m => [...m.querySelectorAll('details, pre')].map(e => e.textContent)")
    )
    shown = re.sub(r"\\+", "", whole)  # JSON is shown with its quotes escaped
    assert markup in shown, whole
    _assert_nothing_lives(reader)


def _assert_nothing_lives(reader: Visitor) -> None:
    """Check that no text became an element; a script that ran would be reported, too."""
    assert reader.page.locator("main script, main img[src='x'], main [onerror]").count() == 0
    assert reader.dialogs == []
