"""The activities of the order workflow: they run at least once, so each is idempotent."""

import contextlib
from collections.abc import Sequence

import structlog
from dapr.ext.workflow import WorkflowActivityContext

from orderflow_contracts.approvals import (
    ApprovalRequested,
    ApprovalStatus,
    ApprovalWithdrawn,
    Decision,
)
from orderflow_contracts.inventory import CommitRequest, ReservationRejected, ReserveRequest
from orderflow_contracts.orders import Order, OrderStatus, Reason
from orderflow_hosting.outbox import Message
from orderflow_workflow_runtime.ports import Engine, NoSuchInstance
from orders import workflow_names as names
from orders.domain import was_requested
from orders.explanations import why_declined, why_denied, why_not_reserved
from orders.ordering.feed import StatusFeed
from orders.ordering.messages import Notice, Recorded, Undoing
from orders.ordering.records import Standing, StoredChange
from orders.ordering.steps import (
    ApprovalWanted,
    Charge,
    Charged,
    Confirmation,
    Confirmed,
    Verification,
    Verified,
)
from orders.ordering.store import OrderStore
from orders.outgoing import approval_requested, approval_withdrawn
from orders.own_instances import BATCHES
from orders.payments.provider import Declined, NotCharged
from orders.payments.service import RecordedPayments
from orders.ports import Approvals, Inventory

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class UnknownRun(Exception):
    """A run was started for an order that is not stored."""

    def __init__(self, order_id: str) -> None:
        super().__init__(f"order {order_id} is not stored here")


class OrderActivities:
    """The activities, each a method with the name under which the engine knows it."""

    def __init__(
        self,
        store: OrderStore,
        inventory: Inventory,
        payments: RecordedPayments,
        feed: StatusFeed,
        engine: Engine,
        approvals: Approvals,
    ) -> None:
        self._store = store
        self._approvals = approvals
        self._inventory = inventory
        self._payments = payments
        self._feed = feed
        self._engine = engine

    async def notify_activity(self, _: WorkflowActivityContext, notice: Notice) -> Recorded:
        """Record a status; the first one was recorded with the order."""
        if notice.status is OrderStatus.RECEIVED:
            await self._store.promise_first(notice.order_id)
            return Recorded()
        return await self._record(
            notice.order_id,
            notice.run_id,
            notice.status,
            reason=notice.reason,
            detail=notice.detail,
            total_cents=notice.total_cents,
        )

    async def verify_inventory_activity(
        self, _: WorkflowActivityContext, verification: Verification
    ) -> Verified:
        """Reserve stock for all lines or none."""
        standing = await self._store.standing(verification.order_id, verification.run_id)
        if standing is not Standing.MAY_ACT:
            flags = _flags(standing, verification)
            return Verified(outcome="rejected", **flags.model_dump())
        lines = verification.lines or (await self._order(verification.order_id)).lines
        reply = await self._inventory.reserve(
            ReserveRequest(order_id=verification.order_id, lines=lines)
        )
        if isinstance(reply, ReservationRejected):
            log.info("reservation_rejected", order_id=verification.order_id, reason=reply.reason)
            reason, detail = Reason(reply.reason), why_not_reserved(reply)
            return Verified(outcome="rejected", reason=reason, detail=detail)
        recorded = await self._record(
            verification.order_id,
            verification.run_id,
            OrderStatus.RESERVED,
            total_cents=reply.total_cents,
        )
        return Verified(outcome="reserved", total_cents=reply.total_cents, **recorded.model_dump())

    async def request_approval_activity(
        self, _: WorkflowActivityContext, approval: ApprovalWanted
    ) -> Recorded:
        """Request a person's decision."""
        recorded = await self._record(
            approval.order_id,
            approval.run_id,
            OrderStatus.AWAITING_APPROVAL,
            total_cents=approval.total_cents,
            along=[approval_requested(await self._request(approval))],
        )
        if approval.batch_id is not None and not recorded.superseded:
            await self._free_place_in_batch(approval.order_id, approval.batch_id)
        return recorded

    async def remind_of_approval_activity(
        self, _: WorkflowActivityContext, approval: ApprovalWanted
    ) -> None:
        """Request the same decision again, unless the order no longer waits for it."""
        order = await self._store.order(approval.order_id)
        if order is None or order.status is not OrderStatus.AWAITING_APPROVAL:
            return
        reminder = approval_requested(await self._request(approval, reminder=True))
        if await self._promise(approval, reminder):
            log.info("approval_reminder_sent", order_id=approval.order_id)

    async def confirm_decision_activity(
        self, _: WorkflowActivityContext, confirmation: Confirmation
    ) -> Confirmed:
        """Ask approvals for the decision: that one was announced proves nothing."""
        order_id = confirmation.order_id
        standing = await self._store.standing(order_id, confirmation.run_id)
        if standing is not Standing.MAY_ACT:
            return Confirmed(outcome="open", **_flags(standing, confirmation).model_dump())
        approval = await self._approvals.request(order_id)
        decided = {ApprovalStatus.APPROVED, ApprovalStatus.DENIED}
        if approval is None or approval.status not in decided:
            log.warning("decision_not_on_record", order_id=order_id)
            return Confirmed(outcome="open")
        if approval.status is ApprovalStatus.DENIED:
            decision = Decision(
                approved=False, approver=approval.approver or "", comment=approval.comment or ""
            )
            return Confirmed(outcome="denied", detail=why_denied(decision))
        recorded = await self._record(
            order_id,
            confirmation.run_id,
            OrderStatus.APPROVED,
            total_cents=confirmation.total_cents,
        )
        return Confirmed(outcome="approved", **recorded.model_dump())

    async def process_payment_activity(self, _: WorkflowActivityContext, charge: Charge) -> Charged:
        """Capture the payment, once, unless the order was cancelled before."""
        start = await self._store.start_charge(charge.order_id, charge.run_id)
        if start.standing is Standing.IN_DOUBT:
            is_charged = await self._payments.was_charged(charge.order_id)
            return await (self._paid(charge) if is_charged else self._in_doubt(charge))
        if start.standing is not Standing.MAY_ACT:
            return self._not_charged(charge, start.standing)
        customer_id = charge.customer_id or (await self._order(charge.order_id)).customer_id
        try:
            answer = await self._payments.charge(charge.order_id, customer_id, charge.amount_cents)
        except NotCharged:
            if start.sent_at is None:
                raise  # the one that was sent before may have been made
            standing, end = await self._store.nothing_charged(
                charge.order_id, charge.run_id, start.sent_at
            )
            if standing is Standing.MAY_ACT:
                raise
            return self._not_charged(charge, standing, end)
        if answer:
            return await self._paid(charge)
        log.info("payment_declined", order_id=charge.order_id)
        standing, end = await self._store.nothing_charged(charge.order_id, charge.run_id)
        if standing is not Standing.MAY_ACT:
            return self._not_charged(charge, standing, end)
        words = answer.words if isinstance(answer, Declined) else ""
        return Charged(outcome="declined", detail=why_declined(words))

    async def _paid(self, charge: Charge) -> Charged:
        recorded = await self._record(
            charge.order_id, charge.run_id, OrderStatus.PAID, total_cents=charge.amount_cents
        )
        return Charged(outcome="paid", **recorded.model_dump())

    async def _in_doubt(self, charge: Charge) -> Charged:
        standing, end = await self._store.nothing_charged(charge.order_id, charge.run_id)
        given_up = self._not_charged(charge, standing, end)
        return given_up.model_copy(update={"outcome": "in_doubt"})

    def _not_charged(
        self, charge: Charge, standing: Standing, end: StoredChange | None = None
    ) -> Charged:
        self._publish(end)
        return Charged(outcome="not_charged", **_flags(standing, charge).model_dump())

    async def update_inventory_activity(
        self, _: WorkflowActivityContext, request: CommitRequest
    ) -> dict[str, int]:
        """Ship the reserved stock; return the quantity left on hand, by item."""
        committed = await self._inventory.commit(request.order_id)
        return committed.remaining

    async def release_inventory_activity(
        self, _: WorkflowActivityContext, undoing: Undoing
    ) -> None:
        """Release the reservation."""
        if await self._is_superseded(undoing):
            return
        await self._inventory.release(undoing.order_id)
        log.info("inventory_released", order_id=undoing.order_id, reason=undoing.reason)

    async def refund_payment_activity(self, _: WorkflowActivityContext, undoing: Undoing) -> None:
        """Refund the payment."""
        if await self._is_superseded(undoing):
            return
        await self._payments.refund(undoing.order_id)
        log.info("payment_refunded", order_id=undoing.order_id, reason=undoing.reason)

    async def withdraw_approval_activity(
        self, _: WorkflowActivityContext, undoing: Undoing
    ) -> None:
        """Promise to publish that the request for approval is withdrawn, if there is one.

        Approvals would wait in vain for the request that a needless withdrawal is about.
        """
        order = await self._store.order(undoing.order_id)
        if order is None or not was_requested(order):
            return
        withdrawal = ApprovalWithdrawn(order_id=undoing.order_id, reason=undoing.reason)
        await self._promise(undoing, approval_withdrawn(withdrawal))

    async def _free_place_in_batch(self, order_id: str, batch_id: str) -> None:
        """Let the batch start its next order, because this one waits for a person."""
        batch = await BATCHES.find(self._engine, batch_id)
        if batch is not None:
            with contextlib.suppress(NoSuchInstance):
                await self._engine.raise_event(batch.instance_id, names.ORDER_WAITS, order_id)

    async def _request(
        self, approval: ApprovalWanted, *, reminder: bool = False
    ) -> ApprovalRequested:
        customer_id, lines = approval.customer_id, approval.lines
        if customer_id is None:
            order = await self._order(approval.order_id)
            customer_id, lines = order.customer_id, order.lines
        return ApprovalRequested(
            order_id=approval.order_id,
            customer_id=customer_id,
            lines=lines,
            total_cents=approval.total_cents,
            expires_at=approval.expires_at,
            levels=approval.levels,
            reminder=reminder,
        )

    async def _order(self, order_id: str) -> Order:
        """Read the order: the input of a run within a batch has only the id."""
        order = await self._store.order(order_id)
        if order is None:
            raise UnknownRun(order_id)
        return order

    async def _is_superseded(self, run: Undoing | ApprovalWanted) -> bool:
        """Whether another run owns the order, so that this one must have no effect."""
        is_superseded = not await self._store.may_belong_to(run.order_id, run.run_id)
        if is_superseded:
            log.warning("run_superseded", order_id=run.order_id, run_id=run.run_id)
        return is_superseded

    async def _promise(self, run: Undoing | ApprovalWanted, message: Message) -> bool:
        """Promise to publish a message, unless another run owns the order."""
        is_promised = await self._store.promise(run.order_id, run.run_id, message)
        if not is_promised:
            log.warning("run_superseded", order_id=run.order_id, run_id=run.run_id)
        return is_promised

    async def _record(
        self,
        order_id: str,
        run_id: str,
        status: OrderStatus,
        *,
        reason: str | None = None,
        detail: str | None = None,
        total_cents: int | None = None,
        along: Sequence[Message] = (),
    ) -> Recorded:
        """Record a status, and promise to publish it and the messages along with it."""
        record = await self._store.record(
            order_id,
            run_id,
            status,
            reason=reason,
            detail=detail,
            total_cents=total_cents,
            along=along,
        )
        if record is None:
            log.warning("run_superseded", order_id=order_id, run_id=run_id, status=status)
            return Recorded(superseded=True)
        self._publish(record.stored)
        return Recorded(cancelled=record.cancelled)

    def _publish(self, stored: StoredChange | None) -> None:
        if stored is None:
            return
        self._feed.publish(stored)
        change = stored.change
        if change.status.is_final:
            log.info(
                "order_ended",
                order_id=change.order_id,
                status=change.status,
                reason=change.reason,
            )


def _flags(standing: Standing, run: Verification | Confirmation | Charge) -> Recorded:
    """Return the reason why a run may not act, as flags of its result."""
    if standing is Standing.SUPERSEDED:
        log.warning("run_superseded", order_id=run.order_id, run_id=run.run_id)
        return Recorded(superseded=True)
    return Recorded(cancelled=True)
