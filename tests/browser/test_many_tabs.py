"""Many tabs of a site in one browser, which opens at most six connections to a host."""

import re
from collections.abc import Sequence

import pytest
from playwright.sync_api import Page, expect

from browser.lively import Lively
from browser.people import MANAGER
from browser.visitors import Visitor, Visitors
from orderflow_contracts.names import APPROVALS, ORDERS
from system.shop import Shop

NO_WORKERS = "delete window.SharedWorker;"


def _open(visitor: Visitor, app: str, paths: Sequence[str]) -> list[Page]:
    """Open a tab for each path; each must load while all others stay open."""
    pages = [visitor.context.new_page() for _ in paths]
    for page, path in zip(pages, paths, strict=True):
        page.goto(visitor.url(app, path))
        page.evaluate("() => { window.stayed = true; }")
    return pages


def _board_tabs(lively: Lively, order_id: str) -> list[str]:
    order = f"/board/orders/{order_id}"
    others = ["/board/stock", "/board/batches", "/board/tasks", f"/board/batches/{lively.batch}"]
    waiting = f"/board/orders/{lively.waiting}"
    return [order, "/", "/?customer=rio+motors", *others, order, waiting, "/?item=cars"]


@pytest.mark.parametrize("script", ["", NO_WORKERS], ids=["shared", "polling"])
def test_ten_tabs_of_the_board_stay_live_and_submit_forms(
    visitors: Visitors, lively: Lively, shop: Shop, script: str
) -> None:
    """All tabs update, and a form submitted in one of them arrives."""
    visitor = visitors(MANAGER)
    visitor.context.add_init_script(script)
    order_id = shop.submit("cars", 4, "rio motors")
    shop.wait_status(order_id, "awaiting_approval")
    pages = _open(visitor, ORDERS, _board_tabs(lively, order_id))
    own, cancelling = pages[0], pages[7]
    for page in (own, cancelling):
        expect(page.locator(".state .badge")).to_have_text("awaiting approval")

    cancelling.get_by_role("button", name="Cancel the order …").click()
    cancelling.get_by_role("button", name="Cancel the order").click()

    expect(own.locator(".state .badge")).to_have_text("cancelled")
    for page in (pages[1], pages[2], pages[9]):
        expect(page.locator(f"#order-{order_id} .badge")).to_have_text("cancelled")
    assert all(page.evaluate("() => window.stayed") for page in pages if page is not cancelling)
    assert _streams(pages) == 0


def test_ten_tabs_of_the_inbox_stay_live_and_submit_forms(visitors: Visitors, shop: Shop) -> None:
    """A decision in one tab shows in all others."""
    visitor = visitors(MANAGER)
    order_id = shop.submit("cars", 4)
    shop.wait_approval(order_id, "pending")
    request = f"/inbox/requests/{order_id}"
    pages = _open(visitor, APPROVALS, ["/", request] * 5)

    pages[1].locator("form.decision").get_by_role("button", name=re.compile("^Deny")).click()

    for page in (page for page in pages if page is not pages[1]):
        expect(page.get_by_role("main")).to_contain_text(f"Denied by {MANAGER}.")
    assert _streams(pages) == 0


def _streams(pages: Sequence[Page]) -> int:
    """Count the streams that the tabs have opened."""
    names = "performance.getEntriesByType('resource').map((entry) => entry.name)"
    return sum("/changes" in name for page in pages for name in page.evaluate(names))
