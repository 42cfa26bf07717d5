"""How a page shows the time left for a decision, and its end."""

import re
from collections.abc import Iterator
from contextlib import closing

import pytest
from playwright.sync_api import Browser, expect

from browser.conftest import OwnPlatform
from browser.people import APPROVER
from browser.visitors import Visitor, Visitors
from orderflow_contracts.names import APPROVALS
from orderflow_tools.platform import Platform
from system.shop import Shop


@pytest.fixture
def hasty(own_platform: OwnPlatform) -> Iterator[Platform]:
    """Run a platform whose requests for approval expire soon."""
    with own_platform(ORDERS_APPROVAL_TIMEOUT_SECONDS="12") as platform:
        yield platform


def test_a_request_counts_down_and_expires_on_the_open_page(
    browser: Browser, hasty: Platform
) -> None:
    """The time left decreases, is marked as short, and the buttons disappear at the end."""
    visitors = Visitors(browser, hasty)
    with closing(Shop(hasty)) as shop, closing(visitors):
        _expire(visitors(APPROVER), shop)


def _expire(approver: Visitor, shop: Shop) -> None:
    approver.go(APPROVALS)
    expect(approver.main).to_contain_text("No pending approvals.")
    approver.stay()

    order_id = shop.submit("cars", 4)

    card = approver.card(order_id)
    left = card.locator(".countdown")
    expect(left).to_have_text(re.compile(r"^([6-9]|1[012]) s$"))
    expect(left).to_have_class(re.compile("urgent"))
    expect(left).to_have_text(re.compile(r"^[1-5] s$"))
    expect(card).to_contain_text("Expired before a decision was made.")
    expect(card.get_by_role("button")).to_have_count(0)
    approver.assert_stayed()
    assert shop.wait_final(order_id)["reason"] == "approval_expired"
    approver.go(APPROVALS, f"/inbox/decided?order_id={order_id}")
    expect(approver.page.get_by_role("row").filter(has_text=order_id)).to_contain_text("expired")
