"""The port of payment providers."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol


class PaymentUnavailable(Exception):
    """The provider does not answer at the moment; the same charge may be tried again."""


@dataclass(frozen=True)
class Payment:
    """An entry of the ledger: money taken from the customer, or given back."""

    number: int
    order_id: str
    kind: Literal["charge", "refund"]
    amount_cents: int
    at: datetime


class PaymentProvider(Protocol):
    """Takes and gives back money, once for each order however often it is asked."""

    async def charge(self, order_id: str, customer_id: str, amount_cents: int) -> bool:
        """Take the money; False when it is declined. Raises `PaymentUnavailable`."""
        ...

    async def refund(self, order_id: str) -> None:
        """Give back what was taken, if anything; no later charge for the order succeeds."""
        ...
