"""The built-in payment provider, for which no money moves."""

from collections import Counter
from typing import Final

from orders.payments.provider import Declined, NotCharged, OutcomeUnknown

DECLINED_CUSTOMERS: Final = "test-declined"
UNAVAILABLE_CUSTOMERS: Final = "test-unavailable-"
SILENT_CUSTOMERS: Final = "test-silent-"


class BuiltInProvider:
    """The built-in provider: every charge succeeds, unless the customer is a test customer.

    A customer whose id begins with `test-declined` is declined. For one whose id begins with
    `test-unavailable-N` the first N charges of each order do not reach the provider; for
    `test-silent-N` they are made, but the answers to the first N charges and lookups are lost.
    Payment services offer test cards in the same way.

    It has no books of its own: what it charges is in the record alone, which also refuses a
    charge after a refund. Only a charge whose answer was lost is known here, until the process
    ends: as no money moves, it was then never made.
    """

    def __init__(self) -> None:
        self._failures: Counter[str] = Counter()
        self._silent: dict[str, int] = {}
        self._unheard: dict[str, int] = {}

    async def charge(self, order_id: str, customer_id: str, amount_cents: int) -> bool | Declined:
        """Accept the charge, unless the customer is a test customer."""
        if self._fails(order_id, _number_in(customer_id, UNAVAILABLE_CUSTOMERS)):
            raise NotCharged(f"the provider does not answer for {customer_id}")
        if customer_id.startswith(DECLINED_CUSTOMERS):
            return Declined(f"{customer_id} is a test customer whose payments fail.")
        if silent := _number_in(customer_id, SILENT_CUSTOMERS):
            self._silent[order_id] = silent
            self._unheard.setdefault(order_id, amount_cents)
            self._be_silent(order_id)
        return True

    async def find(self, order_id: str) -> int:
        """Return a charge whose answer was lost: any other is in the record."""
        self._be_silent(order_id)
        return self._unheard.get(order_id, 0)

    async def refund(self, order_id: str) -> int:
        """Return what is not in the record."""
        return self._unheard.get(order_id, 0)

    def _be_silent(self, order_id: str) -> None:
        if self._fails(order_id, self._silent.get(order_id, 0)):
            raise OutcomeUnknown(f"the answer for order {order_id} was lost")

    def _fails(self, order_id: str, times: int) -> bool:
        """Whether a call for this order fails: the first ones do."""
        if self._failures[order_id] >= times:
            return False
        self._failures[order_id] += 1
        return True


def _number_in(customer_id: str, prefix: str) -> int:
    """Return N of a test customer whose id begins with the prefix and N; 0 for any other."""
    if not customer_id.startswith(prefix):
        return 0
    times = customer_id.removeprefix(prefix).split("-")[0]
    return int(times) if times.isdecimal() else 0
