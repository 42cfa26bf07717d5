"""The built-in payment provider, for which no money moves."""

from collections import Counter
from typing import Final

from orders.payments.provider import Declined, PaymentUnavailable

DECLINED_CUSTOMERS: Final = "test-declined"
UNAVAILABLE_CUSTOMERS: Final = "test-unavailable-"


class BuiltInProvider:
    """The built-in provider: every charge succeeds, unless the customer is a test customer.

    A customer whose id begins with `test-declined` is declined. For one whose id begins with
    `test-unavailable-N` the provider is unavailable N times for each order. Payment services
    offer test cards in the same way.

    It has no books of its own: what it charges is in the record alone, which also refuses a
    charge after a refund.
    """

    def __init__(self) -> None:
        self._refusals: Counter[str] = Counter()

    async def charge(
        self,
        order_id: str,
        customer_id: str,
        amount_cents: int,  # noqa: ARG002 # the port has it
    ) -> bool | Declined:
        """Accept the charge, unless the customer is a test customer."""
        self._be_unavailable(order_id, customer_id)
        if customer_id.startswith(DECLINED_CUSTOMERS):
            return Declined(f"{customer_id} is a test customer whose payments fail.")
        return True

    async def refund(self, order_id: str) -> int:  # noqa: ARG002 # the port has it
        """Return 0: a charge that is not in the record moved no money."""
        return 0

    def _be_unavailable(self, order_id: str, customer_id: str) -> None:
        if not customer_id.startswith(UNAVAILABLE_CUSTOMERS):
            return
        times = customer_id.removeprefix(UNAVAILABLE_CUSTOMERS).split("-")[0]
        if times.isdecimal() and self._refusals[order_id] < int(times):
            self._refusals[order_id] += 1
            raise PaymentUnavailable(f"the provider does not answer for {customer_id}")
