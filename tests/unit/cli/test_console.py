"""The console of the order processor."""

import asyncio
import threading
from enum import StrEnum

import pytest

from fakes.command import Run
from fakes.shop import Shop
from fakes.waiting import until
from orderflow_cli.narrator import Narrator, Purchase
from orderflow_contracts.fields import now
from orderflow_contracts.orders import OrderStatus, OrderStatusChanged

pytestmark = pytest.mark.usefixtures("settings")

BANNER = """\
==========Begin the purchase of item:==========
To restock items, type 'restock'.
To exit workflow console app, type 'exit'.
"""
PROMPT = "Enter the name of one of the following items to order: paperclip, cars, computers: "
LARGE = (
    BANNER
    + PROMPT
    + """cars
How many cars would you like to purchase? 11
Starting order workflow, purchasing 11 of cars
INFO:NotifyActivity:Received order {id} for 11 cars at $165000 !
INFO:VerifyInventoryActivity:Verifying inventory for order {id} of 11 cars
INFO:VerifyInventoryActivity:There are 100 Cars available for purchase
INFO:RequestApprovalActivity:Requesting approval for payment of 165000 USD for 11 cars
(ID = {id}) requires approval. Approve? [Y/N] y
INFO:NotifyActivity:Payment for order {id} has been approved!
INFO:ProcessPaymentActivity:Processing payment: {id} for 11 cars at 165000 USD
INFO:ProcessPaymentActivity:Payment for request ID {id} processed successfully
INFO:UpdateInventoryActivity:Checking inventory for order {id} for 11 cars
INFO:UpdateInventoryActivity:There are now 89 cars left in stock
INFO:NotifyActivity:Order {id} has completed!
Workflow completed! Result: COMPLETED
  Purchase of item is COMPLETED
"""
)


def test_a_large_purchase_by_arguments_prints_the_lines_of_the_order_processor(
    run: Run, shop: Shop
) -> None:
    """`cars 11 y exit` asks for approval, takes 11 cars from the shelf and says so line by line."""
    outcome = run("console", "cars", "11", "y", "exit")

    [order_id] = shop.orders
    assert (outcome.out, outcome.err, outcome.code) == (LARGE.format(id=order_id), "", 0)


def test_typed_answers_give_the_same_purchase(run: Run, shop: Shop) -> None:
    """What is typed counts like what was given as arguments, and the end of input is an exit."""
    outcome = run("console", typed="cars\n11\nY\n")

    [order_id] = shop.orders
    end = BANNER + PROMPT + "\n"
    assert outcome.out == LARGE.format(id=order_id).replace("[Y/N] y", "[Y/N] Y") + end
    assert outcome.code == 0


def test_typing_goes_on_where_the_arguments_end(run: Run, shop: Shop) -> None:
    """Answers may come half from the arguments and half from the keyboard."""
    outcome = run("console", "cars", "11", typed="yes\nexit\n")

    assert "There are now 89 cars left in stock" in outcome.out
    assert shop.stock["cars"] == 89


def test_a_purchase_that_needs_another_approver_says_so_and_waits(run: Run, shop: Shop) -> None:
    """One answer is not enough where two must approve; the purchase goes on with the second."""
    shop.levels = 2

    def approve_second() -> None:
        asyncio.run(until(lambda: len(shop.decisions) == 1))
        [order_id] = shop.orders
        shop.decide(order_id, {"approved": True, "approver": "bob"})

    second = threading.Thread(target=approve_second)
    second.start()
    outcome = run("console", "cars", "11", "y", "exit")
    second.join()

    [order_id] = shop.orders
    assert f"Order {order_id} goes on waiting for one more approver" in outcome.out
    assert outcome.lines[-1] == "  Purchase of item is COMPLETED"


def test_a_small_purchase_asks_nobody(run: Run, shop: Shop) -> None:
    """An order below the threshold is paid at once, and an answer given in vain is passed over."""
    outcome = run("console", "paperclip", "2", "y", "exit")

    assert "approval" not in outcome.out
    assert "There is no item" not in outcome.out
    assert "at $10 !" in outcome.out
    assert outcome.lines[-1] == "  Purchase of item is COMPLETED"
    assert shop.stock["paperclip"] == 98


def test_the_order_is_published_as_an_event_of_its_own(run: Run, shop: Shop) -> None:
    """The event is a CloudEvent whose id and subject are the order's id."""
    run("console", "paperclip", "2", "exit")

    [event] = shop.published
    [order_id] = shop.orders
    assert (event["id"], event["subject"], event["source"]) == (
        order_id,
        order_id,
        "/orderflow/cli",
    )
    assert event["type"] == "com.orderflow.order.submitted.v1"
    assert event["data"]["lines"] == [{"item": "paperclip", "quantity": 2}]


def test_a_refusal_ends_the_order_and_comes_back_to_the_prompt(run: Run, shop: Shop) -> None:
    """After `n` the order is rejected, nothing leaves the shelf, and the next order can follow."""
    outcome = run("console", "cars", "11", "n", "computers", "1", "exit", "--approver", "ada")

    assert "has ended as rejected: the payment was not approved" in outcome.out
    assert "  Purchase of item is REJECTED" in outcome.lines
    assert "  Purchase of item is COMPLETED" in outcome.lines
    assert shop.decisions == [{"approved": False, "approver": "ada", "comment": ""}]
    assert (shop.stock["cars"], shop.stock["computers"]) == (100, 99)


def test_a_decision_waits_for_its_request(run: Run, shop: Shop) -> None:
    """The request may reach approvals a moment after the status reached the console."""
    shop.unknown_decisions = 3

    outcome = run("console", "cars", "11", "y", "exit")

    assert outcome.lines[-1] == "  Purchase of item is COMPLETED"


def test_a_decision_that_comes_too_late_is_told(run: Run, shop: Shop) -> None:
    """When the time is over, the console says so and shows how the order ended."""
    shop.expires = True

    outcome = run("console", "cars", "11", "y", "exit")

    assert "The answer was not taken: the time to decide is over" in outcome.lines
    assert "has ended as rejected: nobody approved the payment in time" in outcome.out
    assert outcome.code == 0


def test_a_declined_payment_is_told(run: Run, shop: Shop) -> None:
    """A payment that is declined ends the purchase with a clear line."""
    shop.declines = True

    outcome = run("console", "cars", "1", "exit")

    assert "has ended as rejected: the payment was declined" in outcome.out
    assert outcome.lines[-2:] == [
        "Workflow completed! Result: REJECTED",
        "  Purchase of item is REJECTED",
    ]


def test_more_than_there_is_ends_as_rejected(run: Run, shop: Shop) -> None:
    """An order for more than is in stock is placed all the same, and turned away."""
    outcome = run("console", "cars", "101", "y", "exit")

    assert len(shop.published) == 1
    assert "there are not enough cars in stock, only 100" in outcome.out
    assert outcome.lines[-1] == "  Purchase of item is REJECTED"


@pytest.mark.parametrize(
    "quantity", ["many", "0", "-3", "1.5", "1,5", "1,000", "1_000", "1000001", "٣", "9" * 5000, ""]
)
def test_what_is_no_quantity_is_told_and_nothing_is_placed(
    run: Run, shop: Shop, quantity: str
) -> None:
    """A quantity is a whole number in plain digits; after anything else the prompt is back."""
    outcome = run("console", "cars", quantity, "exit")

    assert "is not a quantity: type a whole number from 1 to 1000000 in plain digits" in outcome.out
    assert (shop.published, outcome.code) == ([], 0)


def test_an_unknown_item_is_told_with_what_there_is(run: Run, shop: Shop) -> None:
    """An item that nobody sells places nothing, and the prompt is back."""
    outcome = run("console", "boats", "exit")

    assert "There is no item 'boats'. There are: paperclip, cars, computers." in outcome.lines
    assert (shop.published, outcome.code) == ([], 0)


def test_an_answer_that_is_neither_yes_nor_no_is_asked_again(run: Run) -> None:
    """Only y and n decide."""
    outcome = run("console", "cars", "11", typed="perhaps\ny\nexit\n")

    assert "Please answer y or n." in outcome.lines
    assert "  Purchase of item is COMPLETED" in outcome.lines


def test_leaving_at_the_approval_says_how_to_decide_later(run: Run, shop: Shop) -> None:
    """The order goes on waiting when the input ends, and the console says what decides it."""
    outcome = run("console", "cars", "11")

    [order_id] = shop.orders
    assert f"`orderflow approve {order_id}`" in outcome.lines[-1]
    assert (shop.decisions, outcome.code) == ([], 0)


def test_restock_fills_the_shelf(run: Run, shop: Shop) -> None:
    """`restock` brings everything back to the opening stock, by way of the sidecar."""
    shop.stock["cars"] = 3

    outcome = run("console", "restock", "exit")

    assert shop.stock["cars"] == 100
    assert outcome.lines[-1] == (
        "Restocked. There are now 100 paperclip, 100 cars, 100 computers in stock."
    )


@pytest.mark.parametrize("typed", ["", "exit\n", "cars\nexit\n", "cars\n"])
def test_leaving_is_always_possible(run: Run, shop: Shop, typed: str) -> None:
    """`exit` and the end of input leave at any prompt, with nothing placed."""
    outcome = run("console", typed=typed)

    assert (outcome.code, outcome.err, shop.published) == (0, "", [])


def test_ctrl_c_ends_politely(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C leaves with a sentence and the exit code that shells expect."""

    def interrupt(_: str) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr("builtins.input", interrupt)

    outcome = run("console")

    assert outcome.lines[-1] == "Stopped. Orders that were placed go on without this console."
    assert (outcome.code, outcome.err) == (130, "")


def test_what_the_feed_does_not_tell_is_read_from_the_order(run: Run, shop: Shop) -> None:
    """A status that is missing in the feed is not missing in the console."""
    shop.hidden = frozenset({"received", "paid"})

    outcome = run("console", "cars", "11", "y", "exit")

    [order_id] = shop.orders
    assert outcome.out == LARGE.format(id=order_id)


class LaterStatus(StrEnum):
    """A status that orders may have one day."""

    SCREENED = "screened"

    @property
    def is_final(self) -> bool:
        """Whether it is the order's last status."""
        return False


@pytest.mark.parametrize(
    "status", [*(status for status in OrderStatus if not status.is_final), LaterStatus.SCREENED]
)
def test_no_status_on_the_way_is_taken_for_the_end(status: OrderStatus) -> None:
    """A status of a step that is declared later is named, and does not end the purchase."""
    said: list[str] = []
    narrator = Narrator(Purchase("o1", "cars", 1, 15_000_00, 100), said.append, lambda: 99)
    change = OrderStatusChanged(order_id="o1", sequence=2, status=OrderStatus.RESERVED, at=now())

    narrator.tell(change.model_copy(update={"status": status}))

    assert said
    assert not any("ended" in line or "Result" in line for line in said)
