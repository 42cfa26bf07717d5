"""Charges, compared with the orders that they are for."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from orderflow_contracts.doctor import CHARGED_WITHOUT_ORDER
from orderflow_contracts.fields import Clock
from orderflow_hosting.doctor import Disagreement, Look
from orders.payments.service import RecordedPayments
from orders.payments.store import PaymentStore, StandingCharge

PAGE: Final = 10_000
"""How many entries of the record are compared in one query."""
SETTLED: Final = timedelta(seconds=10)
"""So long after its end, an order has refunded what it had charged."""


class Charges:
    """Each charge without a refund is of an order that has not ended, or that is completed."""

    name = "the charges"
    pages_in_a_round = 2

    def __init__(self, store: PaymentStore, payments: RecordedPayments, clock: Clock) -> None:
        self._store = store
        self._payments = payments
        self._clock = clock

    async def page(self, after: str | None) -> Look:
        """Look at the next entries of the record by number."""
        number = int(after or 0)
        charges = await self._store.without_order(number, PAGE, self._clock() - SETTLED)
        number += PAGE
        following = str(number) if await self._store.last_number() > number else None
        return Look([self._found(each) for each in charges], following)

    async def of(self, subject: str) -> Sequence[Disagreement]:
        """Look at the charge of one order."""
        charges = await self._store.of_order_without(subject, self._clock() - SETTLED)
        return [self._found(each) for each in charges]

    def _found(self, charge: StandingCharge) -> Disagreement:
        async def refund() -> None:
            await self._payments.refund(charge.order_id)

        is_known = charge.status is not None
        why = f"it has ended as {charge.status}" if is_known else "there is no such order"
        return Disagreement(
            CHARGED_WITHOUT_ORDER,
            f"order {charge.order_id}",
            f"{charge.amount_cents} cents charged, but {why}",
            str(charge.status),
            refund,
        )
