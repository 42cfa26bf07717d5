"""The interactive console: asks what to buy, and shows each step of the order."""

import sys
import uuid
from collections import deque
from collections.abc import Collection, Iterable
from typing import Final

from orderflow_cli.client import Orderflow
from orderflow_cli.errors import RequestRejected
from orderflow_cli.feed import StatusFeed
from orderflow_cli.purchase_progress import Purchase, PurchaseProgress
from orderflow_cli.service import FORBIDDEN, UNAUTHORIZED
from orderflow_cli.terminal import clean, clean_lines
from orderflow_contracts.approvals import Decision
from orderflow_contracts.inventory import Stock, StockItem
from orderflow_contracts.numbers import read_whole_number
from orderflow_contracts.orders import ANONYMOUS, OrderLine, OrderStatus, OrderSubmitted

BANNER: Final = (
    "==========Begin the purchase of item:==========",
    "To restock items, type 'restock'.",
    "To exit workflow console app, type 'exit'.",
)
EXIT: Final = "exit"
RESTOCK: Final = "restock"
YES_OR_NO: Final = {"y": True, "yes": True, "n": False, "no": False}
MAX_QUANTITY: Final = 1_000_000
REQUEST_WAIT_SECONDS: Final = 15.0
"""How long an approval request may take to travel from orders to approvals."""


class EndOfInput(Exception):
    """The input has ended: the user has left."""


class Answers:
    """Answers from the command's arguments, followed by typed ones."""

    def __init__(self, given: Iterable[str]) -> None:
        self._given = deque(given)

    @property
    def next_given(self) -> str | None:
        """The next answer from the arguments, if one is left."""
        return self._given[0].strip() if self._given else None

    def discard(self, unasked: Collection[str]) -> None:
        """Drop arguments that answer a question which was never asked."""
        while self._given and self._given[0].strip().lower() in unasked:
            self._given.popleft()

    def ask(self, prompt: str) -> str:
        """Return the answer without surrounding blanks; raise `EndOfInput` when there is none.

        An answer that was not typed is echoed, so that the output looks the same.
        """
        prompt = clean(prompt)
        if self._given:
            answer = self._given.popleft()
            _print_line(f"{prompt}{answer}")
            return answer.strip()
        try:
            answer = input(prompt)
        except EOFError:
            print(flush=True)
            raise EndOfInput from None
        if not sys.stdin.isatty():
            _print_line(answer)
        return answer.strip()


class Console:
    """An interactive session."""

    def __init__(self, flow: Orderflow, answers: Answers, approver: str) -> None:
        self._flow = flow
        self._answers = answers
        self._approver = approver

    def run(self) -> None:
        """Take orders and restock until the user leaves."""
        try:
            while self._handle_choice():
                self._answers.discard(YES_OR_NO)
                if self._answers.next_given == EXIT:
                    return
        except EndOfInput:
            return
        except KeyboardInterrupt:
            _print_line("\nStopped. Orders already placed continue without this console.")
            raise

    def _handle_choice(self) -> bool:
        """Handle one choice; return whether to continue."""
        for line in BANNER:
            _print_line(line)
        stock = {item.item: item for item in self._flow.stock().items}
        choice = self._answers.ask(
            f"Enter the name of one of the following items to order: {', '.join(stock)}: "
        )
        if choice == EXIT:
            return False
        if choice == RESTOCK:
            _print_stock(self._flow.restock())
        elif choice not in stock:
            _print_line(f"There is no item {choice!r}. Available items: {', '.join(stock)}.")
        else:
            return self._choose_quantity(stock[choice])
        return True

    def _choose_quantity(self, item: StockItem) -> bool:
        answer = self._answers.ask(f"How many {item.item} would you like to purchase? ")
        if answer == EXIT:
            return False
        quantity = read_whole_number(answer) or 0
        if 1 <= quantity <= MAX_QUANTITY:
            self._buy(item, quantity)
        else:
            _print_line(
                f"{answer!r} is not a quantity: type a whole number from 1 to {MAX_QUANTITY} in "
                "plain digits, without comma, point or space."
            )
        return True

    def _buy(self, item: StockItem, quantity: int) -> None:
        _print_line(f"Starting order workflow, purchasing {quantity} of {item.item}")
        order = OrderSubmitted(
            order_id=uuid.uuid4().hex,
            customer_id=ANONYMOUS,
            lines=(OrderLine(item=item.item, quantity=quantity),),
        )
        purchase = Purchase.of(order.order_id, item, quantity)
        with self._flow.statuses() as feed:
            self._flow.publish(order)
            self._show_progress(purchase, feed)

    def _show_progress(self, purchase: Purchase, feed: StatusFeed) -> None:
        progress = PurchaseProgress(purchase, _print_line, lambda: self._on_hand(purchase.item))
        for change in self._flow.follow(purchase.order_id, feed=feed):
            progress.report(change)
            if change.status is OrderStatus.AWAITING_APPROVAL:
                self._decide(purchase.order_id)

    def _decide(self, order_id: str) -> None:
        try:
            approved = self._ask_yes_or_no(f"(ID = {order_id}) requires approval. Approve? [Y/N] ")
        except EndOfInput:
            _print_line(
                f"Order {order_id} is still waiting: decide with `orderflow approve {order_id}` "
                f"or `orderflow deny {order_id}`."
            )
            raise
        decision = Decision(approved=approved, approver=self._approver)
        try:
            approval = self._flow.decide(order_id, decision, wait_seconds=REQUEST_WAIT_SECONDS)
        except RequestRejected as rejection:
            if rejection.status in (UNAUTHORIZED, FORBIDDEN):
                raise  # nothing was decided, and perhaps nobody else will
            # Somebody else decided, or the deadline has passed: the next status shows the outcome.
            _print_line(f"The decision was not recorded: {rejection.detail}")
            return
        if approval.approvals_missing:
            _print_line(
                f"Order {order_id} is still waiting for one more approver: "
                f"`orderflow approve {order_id} --approver <name>`."
            )

    def _ask_yes_or_no(self, prompt: str) -> bool:
        while (answer := self._answers.ask(prompt).lower()) not in YES_OR_NO:
            _print_line("Please answer y or n.")
        return YES_OR_NO[answer]

    def _on_hand(self, item: str) -> int:
        return next((each.on_hand for each in self._flow.stock().items if each.item == item), 0)


def _print_line(line: str) -> None:
    print(clean_lines(line), flush=True)  # item names are untrusted text


def _print_stock(stock: Stock) -> None:
    quantities = ", ".join(f"{item.on_hand} {item.item}" for item in stock.items)
    _print_line(f"Restocked. There are now {quantities} in stock.")
