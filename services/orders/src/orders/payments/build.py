"""Builds payments: the built-in provider, and its ledger over HTTP."""

from dataclasses import dataclass

from orders.parts import Base, Part
from orders.payments.api import payment_router
from orders.payments.ledger import LedgerProvider


@dataclass(frozen=True, kw_only=True)
class Payments(Part):
    """The part, and the provider that charges and refunds."""

    provider: LedgerProvider


def build(base: Base) -> Payments:
    """Wire payments."""
    provider = LedgerProvider(base.database)
    return Payments(provider=provider, routers=(payment_router(provider),))
