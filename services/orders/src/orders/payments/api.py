"""HTTP API of payments: the record of charges and refunds, read-only."""

from fastapi import APIRouter
from pydantic import BaseModel

from orderflow_contracts.fields import Moment
from orderflow_hosting.access import reads
from orderflow_hosting.pages import After, Limit, Page, number_after, numbered_page
from orders.order_ids import PathOrderId
from orders.payments.store import Payment, PaymentStore


class PaymentEntry(BaseModel):
    """A charge or a refund of an order."""

    order_id: str
    kind: str
    amount_cents: int
    at: Moment


def payment_router(store: PaymentStore) -> APIRouter:
    """Serve the record of charges and refunds, read-only."""
    router = APIRouter(prefix="/payments", tags=["payments"], dependencies=[reads()])

    @router.get("", summary="List charges and refunds, newest first")
    async def ledger(limit: Limit = 100, after: After = None) -> Page[PaymentEntry]:
        found = await store.newest(limit + 1, number_after(after))
        return numbered_page([(payment.number, _entry(payment)) for payment in found], limit)

    @router.get("/{order_id}", summary="List the charges and refunds of one order")
    async def of_order(order_id: PathOrderId) -> Page[PaymentEntry]:
        return Page(items=[_entry(payment) for payment in await store.entries(order_id)])

    return router


def _entry(payment: Payment) -> PaymentEntry:
    return PaymentEntry(
        order_id=payment.order_id,
        kind=payment.kind,
        amount_cents=payment.amount_cents,
        at=payment.at,
    )
