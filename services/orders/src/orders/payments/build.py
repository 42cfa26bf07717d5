"""Builds payments: the provider, the record of what it does, and that record over HTTP."""

from dataclasses import dataclass

from orders.parts import Base, Part
from orders.payments.api import payment_router
from orders.payments.built_in import BuiltInProvider
from orders.payments.service import RecordedPayments
from orders.payments.store import PaymentStore


@dataclass(frozen=True, kw_only=True)
class PaymentPart(Part):
    """The part, and what ordering and the pages use of it."""

    payments: RecordedPayments
    store: PaymentStore


def build(base: Base) -> PaymentPart:
    """Wire payments."""
    store = PaymentStore(base.database, base.clock)
    payments = RecordedPayments(BuiltInProvider(), store)
    return PaymentPart(payments=payments, store=store, routers=(payment_router(store),))
