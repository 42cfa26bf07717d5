"""Dead letters, selected while the page refreshes itself."""

import re

from playwright.sync_api import expect

from browser.people import OPERATOR
from browser.visitors import Visitors
from orderflow_contracts.names import ORDERS
from system.shop import Shop, new_id, wait_for


def test_the_selection_survives_a_refresh_and_is_resent(visitors: Visitors, shop: Shop) -> None:
    """Only the selected dead letters are resent."""
    markers = [new_id("letter") for _ in range(2)]
    for marker in markers:
        shop.publish("orders.submitted", {"order_id": "not an id", "customer_id": marker})
    wait_for(
        "the dead letters",
        lambda: all(marker in str(shop.dead_letters("orders")) for marker in markers),
    )
    operator = visitors(OPERATOR)
    operator.go(ORDERS, "/board/dead-letters")
    operator.stay()
    chosen, other = (
        operator.main.get_by_role("article").filter(has_text=marker) for marker in markers
    )
    chosen.get_by_role("checkbox").check()
    chosen.locator("summary").click()

    with operator.page.expect_response(re.compile("/board/dead-letters")):
        pass  # the page refreshes itself
    expect(chosen.get_by_role("checkbox")).to_be_checked()
    expect(other.get_by_role("checkbox")).not_to_be_checked()
    expect(chosen.locator("pre")).to_contain_text(markers[0])
    operator.assert_stayed()
    operator.page.get_by_role("button", name="Resend selected").click()

    expect(operator.outcome).to_contain_text("1 dead letter was resent.")
