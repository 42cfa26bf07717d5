"""The port of payment providers."""

from typing import Protocol


class PaymentUnavailable(Exception):
    """The provider does not respond; the same call may be retried."""


class PaymentProvider(Protocol):
    """Charges and refunds customers, once for each order; both calls are idempotent.

    A call may be repeated at any time, by another process too, because nobody heard the answer
    to the one before: the order's id is the idempotency key.
    """

    async def charge(self, order_id: str, customer_id: str, amount_cents: int) -> bool:
        """Charge the customer; return False if declined. Raises `PaymentUnavailable`."""
        ...

    async def refund(self, order_id: str) -> int:
        """Refund the whole charge, if any, and return its cents. Raises `PaymentUnavailable`.

        A later charge for the order fails, also one that was sent before the refund.
        """
        ...
