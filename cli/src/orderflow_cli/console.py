"""The order processor's console: asks what to buy, and shows the purchase step by step."""

import sys
import uuid
from collections import deque
from collections.abc import Collection, Iterable
from typing import Final

from orderflow_cli.client import Orderflow
from orderflow_cli.errors import Refusal
from orderflow_cli.feed import StatusFeed
from orderflow_cli.purchase_progress import Narrator, Purchase
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
MOST_PIECES: Final = 1_000_000
REQUEST_PATIENCE_SECONDS: Final = 15.0
"""For so long a request for approval may be on its way from orders to approvals."""


class NoMoreAnswers(Exception):
    """Nothing more can be read: the user has left."""


class Answers:
    """The answers that were given as arguments, and after them those that are typed."""

    def __init__(self, given: Iterable[str]) -> None:
        self._given = deque(given)

    @property
    def next_given(self) -> str | None:
        """The next answer among the arguments, if one is left."""
        return self._given[0].strip() if self._given else None

    def pass_over(self, unasked: Collection[str]) -> None:
        """Drop arguments that answer a question which was not asked after all."""
        while self._given and self._given[0].strip().lower() in unasked:
            self._given.popleft()

    def ask(self, prompt: str) -> str:
        """Return the answer without blanks around it; raise `NoMoreAnswers` at the end of input.

        What was not typed is shown as if it had been, so that the output reads the same.
        """
        prompt = clean(prompt)
        if self._given:
            answer = self._given.popleft()
            _say(f"{prompt}{answer}")
            return answer.strip()
        try:
            answer = input(prompt)
        except EOFError:
            print(flush=True)
            raise NoMoreAnswers from None
        if not sys.stdin.isatty():
            _say(answer)
        return answer.strip()


class Console:
    """One session of purchases."""

    def __init__(self, flow: Orderflow, answers: Answers, approver: str) -> None:
        self._flow = flow
        self._answers = answers
        self._approver = approver

    def run(self) -> None:
        """Buy and restock until the user leaves."""
        try:
            while self._round():
                self._answers.pass_over(YES_OR_NO)
                if self._answers.next_given == EXIT:
                    return
        except NoMoreAnswers:
            return
        except KeyboardInterrupt:
            _say("\nStopped. Orders that were placed go on without this console.")
            raise

    def _round(self) -> bool:
        """Take one answer to its end; tell whether to go on."""
        for line in BANNER:
            _say(line)
        stock = {item.item: item for item in self._flow.stock().items}
        choice = self._answers.ask(
            f"Enter the name of one of the following items to order: {', '.join(stock)}: "
        )
        if choice == EXIT:
            return False
        if choice == RESTOCK:
            _say_stock(self._flow.restock())
        elif choice not in stock:
            _say(f"There is no item {choice!r}. There are: {', '.join(stock)}.")
        else:
            return self._choose_quantity(stock[choice])
        return True

    def _choose_quantity(self, item: StockItem) -> bool:
        answer = self._answers.ask(f"How many {item.item} would you like to purchase? ")
        if answer == EXIT:
            return False
        quantity = read_whole_number(answer) or 0
        if 1 <= quantity <= MOST_PIECES:
            self._buy(item, quantity)
        else:
            _say(
                f"{answer!r} is not a quantity: type a whole number from 1 to {MOST_PIECES} in "
                "plain digits, without comma, point or space."
            )
        return True

    def _buy(self, item: StockItem, quantity: int) -> None:
        _say(f"Starting order workflow, purchasing {quantity} of {item.item}")
        order = OrderSubmitted(
            order_id=uuid.uuid4().hex,
            customer_id=ANONYMOUS,
            lines=(OrderLine(item=item.item, quantity=quantity),),
        )
        purchase = Purchase.of(order.order_id, item, quantity)
        with self._flow.statuses() as feed:
            self._flow.publish(order)
            self._see_through(purchase, feed)

    def _see_through(self, purchase: Purchase, feed: StatusFeed) -> None:
        narrator = Narrator(purchase, _say, lambda: self._left(purchase.item))
        for change in self._flow.follow(purchase.order_id, feed=feed):
            narrator.tell(change)
            if change.status is OrderStatus.AWAITING_APPROVAL:
                self._decide(purchase.order_id)

    def _decide(self, order_id: str) -> None:
        try:
            approved = self._ask_yes_or_no(f"(ID = {order_id}) requires approval. Approve? [Y/N] ")
        except NoMoreAnswers:
            _say(
                f"Order {order_id} goes on waiting: `orderflow approve {order_id}` or "
                f"`orderflow deny {order_id}` decides."
            )
            raise
        decision = Decision(approved=approved, approver=self._approver)
        try:
            approval = self._flow.decide(order_id, decision, patience=REQUEST_PATIENCE_SECONDS)
        except Refusal as refusal:
            if refusal.status in (UNAUTHORIZED, FORBIDDEN):
                raise  # it was not looked at, and nobody else may be deciding
            # Somebody else decided, or the time is over: the next status tells how it ends.
            _say(f"The answer was not taken: {refusal.detail}")
            return
        if approval.approvals_missing:
            _say(
                f"Order {order_id} goes on waiting for one more approver: "
                f"`orderflow approve {order_id} --approver <name>`."
            )

    def _ask_yes_or_no(self, prompt: str) -> bool:
        while (answer := self._answers.ask(prompt).lower()) not in YES_OR_NO:
            _say("Please answer y or n.")
        return YES_OR_NO[answer]

    def _left(self, item: str) -> int:
        return next((each.on_hand for each in self._flow.stock().items if each.item == item), 0)


def _say(line: str) -> None:
    print(clean_lines(line), flush=True)  # names of items are what someone wrote


def _say_stock(stock: Stock) -> None:
    told = ", ".join(f"{item.on_hand} {item.item}" for item in stock.items)
    _say(f"Restocked. There are now {told} in stock.")
