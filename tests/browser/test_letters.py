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
    expect(operator.main.get_by_role("row")).to_have_count(2)  # with the heads of the columns
    expect(operator.main.get_by_role("table")).to_contain_text(markers[0])
    operator.page.get_by_role("button", name="Resend 1 dead letter", exact=True).click()

    expect(operator.outcome).to_contain_text("1 dead letter was resent.")
    operator.page.get_by_role("link", name=f"Show payload of {letters[1].strip().lower()}").click()
    expect(operator.page.get_by_label("Payload", exact=True)).to_contain_text(markers[1])


def test_a_filtered_dead_letter_is_corrected_and_another_discarded(
    visitors: Visitors, shop: Shop
) -> None:
    """An operator finds it, corrects it after a mistake, sees its order, and discards the rest."""
    order_id, marker = new_id("corrected"), new_id("letter")
    line = {"item": "paperclip", "quantity": 0}
    for bad in (order_id, marker):
        data = {"order_id": bad, "customer_id": "ada", "lines": [line]}
        shop.publish("orders.submitted", data)
        wait_for("the dead letter", partial(shop.dead_letters_with, "orders", bad))
    operator = visitors(OPERATOR)
    operator.forgive_status(422)
    operator.go(ORDERS, "/board/dead-letters")
    page = operator.page
    page.get_by_text("Filter", exact=True).first.click()
    page.get_by_label("Topic").select_option("orders.submitted")
    page.get_by_label("Reason, event or order contains").fill(order_id)
    page.get_by_role("button", name="Filter").click()
    expect(operator.main.get_by_role("article")).to_have_count(1)
    page.get_by_role("link", name="Show payload").click()

    editor = page.get_by_label("Corrected payload")
    typed = editor.input_value()
    mistaken, correct = (typed.replace('"quantity": 0', f'"quantity": {n}') for n in ("2,,", "2"))
    editor.fill(mistaken)
    page.get_by_role("button", name="Resend corrected").click()
    expect(operator.main).to_contain_text("line 6, column 21: not JSON")
    expect(editor).to_have_value(mistaken)
    editor.fill(correct)
    page.get_by_role("button", name="Resend corrected").click()

    expect(operator.outcome).to_contain_text("The corrected event was sent.")
    expect(page.locator("#letter")).to_contain_text(f"Order {order_id} is now completed")
    expect(page.locator("#letter")).to_contain_text(f"Resent, corrected, by {OPERATOR}")
    operator.go(ORDERS, f"/board/dead-letters?q={marker}")
    operator.main.get_by_role("checkbox").check()
    page.get_by_role("button", name="Discard selected").click()
    page.get_by_label("Reason").fill("a test of ours")
    page.get_by_role("button", name="Discard 1 dead letter", exact=True).click()
    expect(operator.outcome).to_contain_text("1 dead letter was discarded.")
    expect(operator.main).to_contain_text("No matching dead letters")
