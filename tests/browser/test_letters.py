"""Dead letters, selected while the page refreshes itself."""

import re
from functools import partial

from playwright.sync_api import expect

from browser.people import OPERATOR
from browser.visitors import Visitors
from orderflow_contracts.names import ORDERS
from system.shop import Shop, new_id, wait_for


def test_the_selection_survives_a_refresh_and_is_resent(visitors: Visitors, shop: Shop) -> None:
    """Only the selected dead letters are resent; each shows its payload on a page of its own."""
    markers = [new_id("letter") for _ in range(2)]
    letters = []
    for marker in markers:
        shop.publish("orders.submitted", {"order_id": "not an id", "customer_id": marker})
        found = wait_for("the dead letter", partial(shop.dead_letters_with, "orders", marker))
        letters += [f"Dead letter {found[0]['id']} "]
    operator = visitors(OPERATOR)
    operator.go(ORDERS, "/board/dead-letters")
    operator.stay()
    chosen, other = (
        operator.main.get_by_role("article").filter(has_text=letter) for letter in letters
    )
    chosen.get_by_role("checkbox").check()

    with operator.page.expect_response(re.compile("/board/dead-letters")):
        pass  # the page refreshes itself
    expect(chosen.get_by_role("checkbox")).to_be_checked()
    expect(other.get_by_role("checkbox")).not_to_be_checked()
    operator.assert_stayed()
    operator.page.get_by_role("button", name="Resend selected").click()

    expect(operator.outcome).to_contain_text("1 dead letter was resent.")
    operator.page.get_by_role("link", name=f"Show payload of {letters[1].strip().lower()}").click()
    expect(operator.page.get_by_label("Payload", exact=True)).to_contain_text(markers[1])
