"""Pages whose service becomes unavailable and comes back."""

import pytest
from playwright.sync_api import expect

from browser.people import MANAGER
from browser.visitors import SITES, Visitors
from orderflow_contracts.names import APPROVALS, ORDERS
from orderflow_tools.platform import Platform
from system.shop import Shop


@pytest.mark.parametrize("app", SITES)
def test_a_lost_connection_is_shown_and_recovers(
    visitors: Visitors, shop: Shop, platform: Platform, app: str
) -> None:
    """The open page shows the outage, then removes the message and catches up."""
    visitor = visitors(MANAGER)
    visitor.forgive_lost_connection()
    visitor.go(app)
    visitor.stay()
    banner = visitor.page.locator("#connection")
    expect(banner).to_be_hidden()

    former = platform.kill(app)

    expect(banner).to_contain_text("Connection lost")
    platform.wait_for_restart(app, former)
    platform.wait_until_ready()
    order_id = shop.submit("cars", 4)
    shop.wait_approval(order_id, "pending")
    expect(banner).to_be_hidden(timeout=60_000)
    expect(visitor.page.get_by_role("link", name=order_id)).to_be_visible()
    visitor.assert_stayed()
    shop.decide(order_id, approved=False)


def test_a_page_shows_that_the_workflow_engine_is_unavailable(
    visitors: Visitors, shop: Shop, platform: Platform
) -> None:
    """The page shows the rest, or a clear message, but no bare error."""
    order_id = shop.submit("cars", 4)
    shop.wait_status(order_id, "awaiting_approval")
    visitor = visitors(MANAGER)
    visitor.forgive_status(503, 504)
    former = platform.kill("orders-daprd")

    for path in ("/", f"/board/orders/{order_id}", "/board/stock", "/board/workflows"):
        response = visitor.go(ORDERS, path)
        assert response.status in {200, 503}, path
        expect(visitor.heading).to_be_visible()
        expect(visitor.main).not_to_contain_text("Traceback")

    platform.wait_for_restart("orders-daprd", former)
    platform.wait_until_ready()
    shop.decide(order_id, approved=False)


def test_a_missing_page_has_a_way_back(visitors: Visitors) -> None:
    """A wrong address, an unknown order and an unknown request get a proper page."""
    visitor = visitors(MANAGER)
    visitor.forgive_status(404)
    for app, path in (
        (APPROVALS, "/nowhere"),
        (APPROVALS, "/inbox/requests/no-such-order"),
        (ORDERS, "/nowhere"),
        (ORDERS, "/board/orders/no-such-order"),
        (ORDERS, "/board/batches/no-such-batch"),
        (ORDERS, "/board/workflows/no-such-workflow"),
    ):
        assert visitor.go(app, path).status == 404, path
        expect(visitor.heading).to_have_text("Not found")
        visitor.page.get_by_role("link", name="Go to the home page").click()
        expect(visitor.page).to_have_url(visitor.url(app))
