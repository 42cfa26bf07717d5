"""The port of payment providers."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Declined:
    """A charge that was declined, with the provider's words; it is false."""

    words: str

    def __bool__(self) -> bool:
        return False


class PaymentUnavailable(Exception):
    """The provider does not respond; the same call may be retried."""


class NotCharged(PaymentUnavailable):
    """The charge did not reach the provider: nothing was charged."""


class OutcomeUnknown(PaymentUnavailable):
    """The charge was sent, and nobody heard the answer: it may have been made, or not."""


class PaymentProvider(Protocol):
    """Charges and refunds customers, once for each order; all calls are idempotent.

    A call may be repeated at any time, by another process too, because nobody heard the answer
    to the one before: the order's id is the idempotency key.
    """

    async def charge(self, order_id: str, customer_id: str, amount_cents: int) -> bool | Declined:
        """Charge the customer; return False if declined, or `Declined` to say why.

        Raises `NotCharged` only if it is certain that nothing was charged, else `OutcomeUnknown`.
        """
        ...

    async def find(self, order_id: str) -> int:
        """Look up the charge of an order by its idempotency key; return its cents, 0 if none.

        Raises `PaymentUnavailable`.
        """
        ...

    async def refund(self, order_id: str) -> int:
        """Refund the whole charge, if any, and return its cents. Raises `PaymentUnavailable`.

        A later charge for the order fails, also one that was sent before the refund.
        """
        ...
