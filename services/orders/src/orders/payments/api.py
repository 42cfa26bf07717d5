"""HTTP API of payments: the ledger, read-only."""

from fastapi import APIRouter
from pydantic import BaseModel

from orderflow_contracts.fields import Moment
from orderflow_hosting.access import reads
from orderflow_hosting.pages import After, Limit, Page, number_after, numbered_page
from orders.order_ids import PathOrderId
from orders.payments.ledger import LedgerProvider
from orders.payments.provider import Payment


class PaymentEntry(BaseModel):
    """An entry of the payment ledger."""

    order_id: str
    kind: str
    amount_cents: int
    at: Moment


def payment_router(provider: LedgerProvider) -> APIRouter:
    """Serve the ledger of the built-in payment provider, read-only."""
    router = APIRouter(prefix="/payments", tags=["payments"], dependencies=[reads()])

    @router.get("", summary="List charges and refunds, newest first")
    async def ledger(limit: Limit = 100, after: After = None) -> Page[PaymentEntry]:
        found = await provider.ledger(limit + 1, number_after(after))
        return numbered_page([(payment.number, _entry(payment)) for payment in found], limit)

    @router.get("/{order_id}", summary="List the charges and refunds of one order")
    async def of_order(order_id: PathOrderId) -> Page[PaymentEntry]:
        return Page(items=[_entry(payment) for payment in await provider.entries(order_id)])

    return router


def _entry(payment: Payment) -> PaymentEntry:
    return PaymentEntry(
        order_id=payment.order_id,
        kind=payment.kind,
        amount_cents=payment.amount_cents,
        at=payment.at,
    )
