"""The way of an order, from its first notice to its one final status."""

import contextlib
from collections.abc import Generator
from datetime import UTC, timedelta
from typing import Any

from dapr.ext.workflow import (
    DaprWorkflowContext,
    RetryPolicy,
    TaskFailedError,
    when_any,
)
from pydantic import ValidationError

from orderflow_contracts.approvals import Decision
from orderflow_contracts.names import APPROVAL_DECIDED
from orderflow_contracts.orders import OrderStatus, Reason
from orders.domain import (
    CANCELLED,
    COMPLETED,
    UNDO_FAILED,
    Ending,
    failed,
    needs_approval,
    rejected,
)
from orders.workflows import names
from orders.workflows.messages import (
    ApprovalWanted,
    Charge,
    Charged,
    Notice,
    OrderRun,
    Recorded,
    Undoing,
    Verification,
    Verified,
)
from orders.workflows.policies import TELLING_RETRY, UNDO_RETRY, retry_for
from orders.workflows.saga import Saga

Steps = Generator[Any, Any, Ending]


class Superseded(Exception):
    """Another run of this order got here first; this one must leave no trace."""


def order_processing_workflow(
    ctx: DaprWorkflowContext, order: OrderRun
) -> Generator[Any, Any, dict[str, str | None]]:
    """Carry one order through: reserve, approve if large, charge, take from the shelf.

    Whatever was done is undone, newest first, when it does not come to its good end.
    """
    way = _Way(ctx, order)
    try:
        ending = yield from way.carry_out()
        if not ending.is_good:
            ending = yield from way.undo(ending)
        told = yield way.notify(ending.status, ending.reason)
        _stop(Recorded.model_validate(told))
    except Superseded:
        return {"order_id": order.order_id, "status": "superseded", "reason": None}
    return {"order_id": order.order_id, "status": ending.status, "reason": ending.reason}


class _Way:
    """One order's way: what the steps share, and each step as a method."""

    def __init__(self, ctx: DaprWorkflowContext, order: OrderRun) -> None:
        self._ctx = ctx
        self._order = order
        self._total_cents: int | None = None
        self._step_fails_as = Reason.INVENTORY_UNAVAILABLE
        self._retry = retry_for(timedelta(seconds=order.retry_timeout_seconds))
        self._saga = Saga(ctx, UNDO_RETRY)

    def carry_out(self) -> Steps:
        """Take the steps forward; return how the order ends."""
        try:
            ending = yield from self._reserve()
            if ending is None and needs_approval(
                self._total_cents or 0, self._order.approval_threshold_cents
            ):
                ending = yield from self._approve()
            if ending is None:
                ending = yield from self._pay()
            if ending is None:
                ending = yield from self._take_from_shelf()
        except TaskFailedError:
            return failed(self._step_fails_as)
        return ending

    def undo(self, ending: Ending) -> Steps:
        """Take the steps back; the ending stays unless one could not be."""
        why = Undoing(
            order_id=self._order.order_id, run_id=self._order.run_id, reason=str(ending.reason)
        )
        left_over = yield from self._saga.undo(why)
        return UNDO_FAILED if left_over else ending

    def notify(self, status: OrderStatus, reason: Reason | None = None) -> Any:
        """Record and publish the next status; tried for a day, for nothing comes after it."""
        notice = Notice(
            order_id=self._order.order_id,
            run_id=self._order.run_id,
            status=status,
            reason=reason,
            total_cents=self._total_cents,
            received_at=self._order.received_at,
        )
        return self._call(names.NOTIFY, notice, TELLING_RETRY)

    def _reserve(self) -> Generator[Any, Any, Ending | None]:
        self._step_fails_as = Reason.INVENTORY_UNAVAILABLE
        yield self.notify(OrderStatus.RECEIVED)
        self._saga.register(names.RELEASE_INVENTORY)
        answer = yield self._call(
            names.VERIFY_INVENTORY,
            Verification(
                order_id=self._order.order_id,
                run_id=self._order.run_id,
                lines=self._order.lines,
            ),
        )
        result = Verified.model_validate(answer)
        if result.outcome == "rejected" and result.reason is not None:
            self._saga.forget(names.RELEASE_INVENTORY)
            return rejected(result.reason)
        self._total_cents = result.total_cents
        return _stop(result)

    def _approve(self) -> Generator[Any, Any, Ending | None]:
        self._step_fails_as = Reason.APPROVAL_UNAVAILABLE
        patience = timedelta(seconds=self._order.approval_timeout_seconds)
        self._saga.register(names.WITHDRAW_APPROVAL)
        recorded = yield self._call(
            names.REQUEST_APPROVAL,
            ApprovalWanted(
                order_id=self._order.order_id,
                run_id=self._order.run_id,
                customer_id=self._order.customer_id,
                lines=self._order.lines,
                total_cents=self._total_cents or 0,
                expires_at=self._ctx.current_utc_datetime.replace(tzinfo=UTC) + patience,
                batch_id=self._order.batch_id,
            ),
        )
        if ending := _stop(Recorded.model_validate(recorded)):
            return ending
        decision = yield from self._decision(patience)
        if isinstance(decision, Ending):
            return decision
        self._saga.forget(names.WITHDRAW_APPROVAL)
        if not decision.approved:
            return rejected(Reason.DENIED)
        recorded = yield self.notify(OrderStatus.APPROVED)
        return _stop(Recorded.model_validate(recorded))

    def _decision(self, patience: timedelta) -> Generator[Any, Any, Decision | Ending]:
        """Wait for a decision; return how the order ends if none comes."""
        cancelled = self._ctx.wait_for_external_event(names.CANCEL_REQUESTED)
        expired = self._ctx.create_timer(patience)
        while True:
            decided = self._ctx.wait_for_external_event(APPROVAL_DECIDED)
            first = yield when_any([decided, cancelled, expired])
            if first is expired:
                return rejected(Reason.APPROVAL_EXPIRED)
            if first is cancelled:
                return CANCELLED
            with contextlib.suppress(ValidationError):  # an event that is no decision: wait on
                return Decision.model_validate(decided.get_result())

    def _pay(self) -> Generator[Any, Any, Ending | None]:
        self._step_fails_as = Reason.PAYMENT_UNAVAILABLE
        self._saga.register(names.REFUND_PAYMENT)
        answer = yield self._call(
            names.PROCESS_PAYMENT,
            Charge(
                order_id=self._order.order_id,
                run_id=self._order.run_id,
                customer_id=self._order.customer_id,
                amount_cents=self._total_cents or 0,
            ),
        )
        result = Charged.model_validate(answer)
        if result.outcome == "declined":
            self._saga.forget(names.REFUND_PAYMENT)
            return rejected(Reason.PAYMENT_DECLINED)
        return _stop(result)

    def _take_from_shelf(self) -> Steps:
        self._step_fails_as = Reason.INVENTORY_UNAVAILABLE
        yield self._call(names.UPDATE_INVENTORY, {"order_id": self._order.order_id})
        return COMPLETED

    def _call(self, activity: str, payload: Any, retry: RetryPolicy | None = None) -> Any:
        return self._ctx.call_activity(activity, input=payload, retry_policy=retry or self._retry)


def _stop(recorded: Recorded) -> Ending | None:
    """Tell whether what was recorded says not to go on."""
    if recorded.superseded:
        raise Superseded
    return CANCELLED if recorded.cancelled else None
