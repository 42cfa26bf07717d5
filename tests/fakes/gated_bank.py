"""A payment service in memory whose every answer a test gives, one call at a time."""

import asyncio
from dataclasses import dataclass, field
from typing import Final, Literal

from orders.payments.provider import NotCharged, OutcomeUnknown, PaymentUnavailable

Fate = Literal["answered", "declined", "not sent", "answer lost", "arrives later", "never arrives"]
FATES: Final[tuple[Fate, ...]] = (
    "answered",
    "declined",
    "not sent",
    "answer lost",
    "arrives later",
    "never arrives",
)


@dataclass(eq=False)
class Call:
    """A call that waits for its fate."""

    order_id: str
    fate: asyncio.Future[Fate] = field(default_factory=asyncio.Future)


class GatedBank:
    """Implements `PaymentProvider`: charges and lookups wait until a test decides what happens.

    `arriving` has the charges that are still on their way.
    """

    def __init__(self) -> None:
        self.waiting: list[Call] = []
        self.arriving: list[tuple[str, int]] = []
        self.books: dict[tuple[str, str], int] = {}
        self.is_open = False
        """Whether every call is answered at once."""

    async def charge(self, order_id: str, customer_id: str, amount_cents: int) -> bool:  # noqa: ARG002 # the port has it
        """Charge once, and never after a refund; the same key gets the same answer."""
        fate = await self._fate(order_id)
        if fate == "not sent":
            raise NotCharged("the connection was refused")
        if fate == "arrives later":
            self.arriving.append((order_id, amount_cents))
        elif fate == "declined" or ("declined", order_id) in self.books:
            if ("charge", order_id) not in self.books:
                self.books["declined", order_id] = 0
        elif fate != "never arrives":
            self._enter(order_id, amount_cents)
        if fate not in {"answered", "declined"}:
            raise OutcomeUnknown("the answer was lost")
        return ("charge", order_id) in self.books and ("refund", order_id) not in self.books

    async def find(self, order_id: str) -> int:
        """Look the charge up, unless the answer is lost."""
        if await self._fate(order_id) not in {"answered", "declined"}:
            raise PaymentUnavailable("the provider does not answer")
        return self.books.get(("charge", order_id), 0)

    async def refund(self, order_id: str) -> int:
        """Refund once what was charged."""
        charged = self.books.get(("charge", order_id), 0)
        return self.books.setdefault(("refund", order_id), charged)

    def answer(self, number: int, fate: Fate) -> None:
        """Decide what happens to one of the calls that wait, if there are so many."""
        if number < len(self.waiting):
            self.waiting.pop(number).fate.set_result(fate)

    def open(self) -> None:
        """Answer every call from now on, and those that wait."""
        self.is_open = True
        while self.waiting:
            self.answer(0, "answered")

    def arrive(self) -> None:
        """Let the charges arrive that are on their way."""
        while self.arriving:
            self._enter(*self.arriving.pop(0))

    def moved(self, order_id: str) -> list[tuple[str, int]]:
        """Return how an order's money has moved."""
        entries = self.books.items()
        return [(kind, cents) for (kind, each), cents in entries if each == order_id and cents]

    def _enter(self, order_id: str, cents: int) -> None:
        if not {("refund", order_id), ("declined", order_id)} & self.books.keys():
            self.books.setdefault(("charge", order_id), cents)

    async def _fate(self, order_id: str) -> Fate:
        if self.is_open:
            return "answered"
        call = Call(order_id)
        self.waiting.append(call)
        try:
            return await call.fate
        finally:
            if call in self.waiting:  # its process ended first
                self.waiting.remove(call)
