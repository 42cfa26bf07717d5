"""The port of payment providers."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol


class PaymentUnavailable(Exception):
    """The provider does not respond; the same charge may be retried."""


@dataclass(frozen=True)
class Payment:
    """An entry of the ledger: a charge or a refund."""

    number: int
    order_id: str
    kind: Literal["charge", "refund"]
    amount_cents: int
    at: datetime


class PaymentProvider(Protocol):
    """Charges and refunds customers, once for each order; both calls are idempotent."""

    async def charge(self, order_id: str, customer_id: str, amount_cents: int) -> bool:
        """Charge the customer; return False if declined. Raises `PaymentUnavailable`."""
        ...

    async def refund(self, order_id: str) -> None:
        """Refund the charge, if any. A later charge for the order fails."""
        ...
