"""Charges and refunds by any provider, each recorded."""

from dataclasses import dataclass
from typing import Final

from orders.payments.provider import Declined, PaymentProvider
from orders.payments.store import PaymentStore

_REFUNDED: Final = Declined("The order had been refunded before.")


@dataclass(frozen=True)
class RecordedPayments:
    """Asks the provider, then records what it did, so that any provider's charges can be read.

    The process may die between the two. The step of the order that was interrupted is retried
    and asks the provider again, which does nothing twice. If the order is undone instead, the
    provider's refund tells of the charge that was not recorded.
    """

    provider: PaymentProvider
    store: PaymentStore

    async def charge(self, order_id: str, customer_id: str, amount_cents: int) -> bool | Declined:
        """Charge the customer, once; return a false value if declined or refunded before.

        Raises `NotCharged` or `OutcomeUnknown`.
        """
        known = await self.store.is_charged(order_id)
        if known is not None:
            return known or _REFUNDED
        answer = await self.provider.charge(order_id, customer_id, amount_cents)
        if not answer:
            return answer
        return await self.store.record_charge(order_id, amount_cents) or _REFUNDED

    async def was_charged(self, order_id: str) -> bool:
        """Find out what became of a charge without an answer, and record it if it was made.

        Raises `PaymentUnavailable`.
        """
        known = await self.store.is_charged(order_id)
        if known is not None:
            return known
        cents = await self.provider.find(order_id)
        return cents > 0 and await self.store.record_charge(order_id, cents)

    async def refund(self, order_id: str) -> None:
        """Refund the charge, if any, once; no charge follows. Raises `PaymentUnavailable`."""
        refunded_cents = await self.provider.refund(order_id)
        await self.store.record_refund(order_id, refunded_cents)
