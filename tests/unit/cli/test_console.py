"""The interactive console."""

import asyncio
import threading
from enum import StrEnum

import pytest

from fakes.command import Run
from fakes.shop import Shop
from fakes.waiting import until
from orderflow_cli.purchase_progress import Purchase, PurchaseProgress
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


def test_a_large_order_from_arguments_prints_every_step(run: Run, shop: Shop) -> None:
    """`cars 11 y exit` asks for approval, ships 11 cars and prints each step."""
    outcome = run("console", "cars", "11", "y", "exit")

    [order_id] = shop.orders
    assert (outcome.out, outcome.err, outcome.code) == (LARGE.format(id=order_id), "", 0)


def test_typed_answers_place_the_same_order(run: Run, shop: Shop) -> None:
    """Typed answers work like arguments, and the end of the input exits."""
    outcome = run("console", typed="cars\n11\nY\n")

    [order_id] = shop.orders
    end = BANNER + PROMPT + "\n"
    assert outcome.out == LARGE.format(id=order_id).replace("[Y/N] y", "[Y/N] Y") + end
    assert outcome.code == 0


def test_typed_answers_continue_where_the_arguments_end(run: Run, shop: Shop) -> None:
    """Answers may come partly from the arguments and partly from the keyboard."""
    outcome = run("console", "cars", "11", typed="yes\nexit\n")

    assert "There are now 89 cars left in stock" in outcome.out
    assert shop.stock["cars"] == 89


def test_an_order_that_needs_another_approver_waits(run: Run, shop: Shop) -> None:
    """The console says that a second approval is needed, and continues when it arrives."""
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
    assert f"Order {order_id} is still waiting for one more approver" in outcome.out
    assert outcome.lines[-1] == "  Purchase of item is COMPLETED"


def test_a_small_order_needs_no_approval(run: Run, shop: Shop) -> None:
    """An order below the threshold is paid immediately, and a superfluous answer is ignored."""
    outcome = run("console", "paperclip", "2", "y", "exit")

    assert "approval" not in outcome.out
    assert "There is no item" not in outcome.out
    assert "at $10 !" in outcome.out
    assert outcome.lines[-1] == "  Purchase of item is COMPLETED"
    assert shop.stock["paperclip"] == 98


def test_the_order_is_published_as_an_event(run: Run, shop: Shop) -> None:
    """The event is a CloudEvent with the order ID as its ID and subject."""
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


def test_a_denial_ends_the_order_and_returns_to_the_prompt(run: Run, shop: Shop) -> None:
    """After `n` the order is rejected, its stock is released, and another order can be placed."""
    outcome = run("console", "cars", "11", "n", "computers", "1", "exit", "--approver", "ada")

    assert "has ended as rejected: the payment was not approved" in outcome.out
    assert "  Purchase of item is REJECTED" in outcome.lines
    assert "  Purchase of item is COMPLETED" in outcome.lines
    assert shop.decisions == [{"approved": False, "approver": "ada", "comment": ""}]
    assert (shop.stock["cars"], shop.stock["computers"]) == (100, 99)


def test_a_decision_waits_for_its_request(run: Run, shop: Shop) -> None:
    """The approval request may arrive later than the order's status."""
    shop.unknown_decisions = 3

    outcome = run("console", "cars", "11", "y", "exit")

    assert outcome.lines[-1] == "  Purchase of item is COMPLETED"


def test_a_late_decision_is_reported(run: Run, shop: Shop) -> None:
    """After the deadline the console says so and shows how the order ended."""
    shop.expires = True

    outcome = run("console", "cars", "11", "y", "exit")

    assert "The decision was not recorded: the time to decide is over" in outcome.lines
    assert "has ended as rejected: the payment was not approved in time" in outcome.out
    assert outcome.code == 0


def test_a_declined_payment_is_reported(run: Run, shop: Shop) -> None:
    """A declined payment ends the order with a clear message."""
    shop.declines = True

    outcome = run("console", "cars", "1", "exit")

    assert "has ended as rejected: the payment was declined" in outcome.out
    assert outcome.lines[-2:] == [
        "Workflow completed! Result: REJECTED",
        "  Purchase of item is REJECTED",
    ]


def test_an_order_above_the_stock_is_rejected(run: Run, shop: Shop) -> None:
    """An order for more than is in stock is still placed, and then rejected."""
    outcome = run("console", "cars", "101", "y", "exit")

    assert len(shop.published) == 1
    assert "there are not enough cars in stock, only 100" in outcome.out
    assert outcome.lines[-1] == "  Purchase of item is REJECTED"


@pytest.mark.parametrize(
    "quantity", ["many", "0", "-3", "1.5", "1,5", "1,000", "1_000", "1000001", "٣", "9" * 5000, ""]
)
def test_an_invalid_quantity_is_reported_and_nothing_is_ordered(
    run: Run, shop: Shop, quantity: str
) -> None:
    """A quantity is a whole number in plain digits; anything else returns to the prompt."""
    outcome = run("console", "cars", quantity, "exit")

    assert "is not a quantity: type a whole number from 1 to 1000000 in plain digits" in outcome.out
    assert (shop.published, outcome.code) == ([], 0)


def test_an_unknown_item_is_reported_with_the_available_ones(run: Run, shop: Shop) -> None:
    """An unknown item orders nothing and returns to the prompt."""
    outcome = run("console", "boats", "exit")

    assert "There is no item 'boats'. Available items: paperclip, cars, computers." in outcome.lines
    assert (shop.published, outcome.code) == ([], 0)


def test_an_answer_that_is_neither_yes_nor_no_is_asked_again(run: Run) -> None:
    """Only y or n is accepted."""
    outcome = run("console", "cars", "11", typed="perhaps\ny\nexit\n")

    assert "Please answer y or n." in outcome.lines
    assert "  Purchase of item is COMPLETED" in outcome.lines


def test_exiting_at_the_approval_says_how_to_decide_later(run: Run, shop: Shop) -> None:
    """When the input ends the order keeps waiting, and the console names the commands."""
    outcome = run("console", "cars", "11")

    [order_id] = shop.orders
    assert f"`orderflow approve {order_id}`" in outcome.lines[-1]
    assert (shop.decisions, outcome.code) == ([], 0)


def test_restock_resets_the_stock(run: Run, shop: Shop) -> None:
    """`restock` resets all items to the opening stock through the sidecar."""
    shop.stock["cars"] = 3

    outcome = run("console", "restock", "exit")

    assert shop.stock["cars"] == 100
    assert outcome.lines[-1] == (
        "Restocked. There are now 100 paperclip, 100 cars, 100 computers in stock."
    )


@pytest.mark.parametrize("typed", ["", "exit\n", "cars\nexit\n", "cars\n"])
def test_exit_is_always_possible(run: Run, shop: Shop, typed: str) -> None:
    """`exit` and the end of the input leave at any prompt without placing an order."""
    outcome = run("console", typed=typed)

    assert (outcome.code, outcome.err, shop.published) == (0, "", [])


def test_ctrl_c_ends_with_a_message(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C prints a sentence and exits with the code that shells expect."""

    def interrupt(_: str) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr("builtins.input", interrupt)

    outcome = run("console")

    assert outcome.lines[-1] == "Stopped. Orders already placed continue without this console."
    assert (outcome.code, outcome.err) == (130, "")


def test_changes_missing_from_the_feed_are_read_from_the_order(run: Run, shop: Shop) -> None:
    """A status missing from the feed still appears in the console."""
    shop.hidden = frozenset({"received", "paid"})

    outcome = run("console", "cars", "11", "y", "exit")

    [order_id] = shop.orders
    assert outcome.out == LARGE.format(id=order_id)


class LaterStatus(StrEnum):
    """A status that a later version of orders may have."""

    SCREENED = "screened"

    @property
    def is_final(self) -> bool:
        """Whether it is the order's last status."""
        return False


@pytest.mark.parametrize(
    "status", [*(status for status in OrderStatus if not status.is_final), LaterStatus.SCREENED]
)
def test_only_a_final_status_ends_the_purchase(status: OrderStatus) -> None:
    """Any other status, even one that the command does not know, is printed as progress."""
    lines: list[str] = []
    purchase = Purchase("o1", "cars", 1, 15_000_00, 100)
    progress = PurchaseProgress(purchase, lines.append, lambda: 99)
    change = OrderStatusChanged(order_id="o1", sequence=2, status=OrderStatus.RESERVED, at=now())

    progress.report(change.model_copy(update={"status": status}))

    assert lines
    assert not any("ended" in line or "Result" in line for line in lines)
