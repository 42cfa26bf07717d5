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
from orderflow_contracts.tasks import TaskStatus
from orderflow_workflow_runtime.authoring.policies import TELLING_RETRY, retry_for
from orderflow_workflow_runtime.authoring.saga import Saga
from orderflow_workflow_runtime.authoring.tasks import Task
from orders import workflow_names as names
from orders.domain import (
    CANCELLED,
    COMPLETED,
    UNDO_FAILED,
    Ending,
    approval_levels,
    failed,
    rejected,
)
from orders.ordering.messages import (
    ApprovalWanted,
    Charge,
    Charged,
    Handover,
    Notice,
    OrderRun,
    Recorded,
    Undoing,
    Verification,
    Verified,
)
from orders.tasks.messages import LONGEST_TITLE, TaskOrder, TaskResult

Steps = Generator[Task[Any], Any, Ending]


class Superseded(Exception):
    """Another run of this order got here first; this one must leave no trace."""


def order_processing_workflow(
    ctx: DaprWorkflowContext, order: OrderRun
) -> Generator[Task[Any], Any, dict[str, str | None]]:
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
        self._saga = Saga(ctx, retry_for(timedelta(seconds=order.undo_timeout_seconds)))
        self._cancelled: Any = None

    def carry_out(self) -> Steps:
        """Take the steps forward; return how the order ends."""
        if self._order.begun_again:
            # Stock and approval come up again on the way before it can end; the payment may not.
            self._saga.register(names.REFUND_PAYMENT)
        try:
            ending = yield from self._reserve()
            if ending is None and (levels := self._approval_levels()):
                ending = yield from self._approve(levels)
            if ending is None:
                ending = yield from self._pay()
            if ending is None and self._order.picking != "off":
                ending = yield from self._pick()
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

    def notify(self, status: OrderStatus, reason: Reason | None = None) -> Task[Any]:
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

    def _reserve(self) -> Generator[Task[Any], Any, Ending | None]:
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

    def _approval_levels(self) -> int:
        return approval_levels(
            self._total_cents or 0,
            self._order.approval_threshold_cents,
            self._order.second_approval_threshold_cents,
        )

    def _approve(self, levels: int) -> Generator[Task[Any], Any, Ending | None]:
        self._step_fails_as = Reason.APPROVAL_UNAVAILABLE
        patience = timedelta(seconds=self._order.approval_timeout_seconds)
        self._saga.register(names.WITHDRAW_APPROVAL)
        wanted = ApprovalWanted(
            order_id=self._order.order_id,
            run_id=self._order.run_id,
            customer_id=self._order.customer_id,
            lines=self._order.lines,
            total_cents=self._total_cents or 0,
            expires_at=self._ctx.current_utc_datetime.replace(tzinfo=UTC) + patience,
            levels=levels,
            batch_id=self._order.batch_id,
        )
        recorded = yield self._call(names.REQUEST_APPROVAL, wanted)
        if ending := _stop(Recorded.model_validate(recorded)):
            return ending
        decision = yield from self._decision(wanted, patience)
        if isinstance(decision, Ending):
            return decision
        self._saga.forget(names.WITHDRAW_APPROVAL)
        if not decision.approved:
            return rejected(Reason.DENIED)
        recorded = yield self.notify(OrderStatus.APPROVED)
        return _stop(Recorded.model_validate(recorded))

    def _decision(
        self, wanted: ApprovalWanted, patience: timedelta
    ) -> Generator[Task[Any], Any, Decision | Ending]:
        """Wait for a decision, with a reminder on the way; return the ending if none comes."""
        cancelled = self._cancellation()
        expired = self._ctx.create_timer(patience)
        reminder = self._reminder_timer(patience)
        decided = self._ctx.wait_for_external_event(APPROVAL_DECIDED)
        while True:
            first = yield when_any([decided, cancelled, expired, *reminder])
            if first is expired:
                return rejected(Reason.APPROVAL_EXPIRED)
            if first is cancelled:
                return CANCELLED
            if first in reminder:
                # Nobody waits for the reminder: a decision may overtake it, and it may fail.
                reminder = []
                self._call(names.REMIND_OF_APPROVAL, wanted)
                continue
            with contextlib.suppress(ValidationError):  # an event that is no decision: wait on
                return Decision.model_validate(decided.get_result())
            decided = self._ctx.wait_for_external_event(APPROVAL_DECIDED)

    def _reminder_timer(self, patience: timedelta) -> list[Any]:
        """Set the timer of the reminder, if there shall be one; older runs have none."""
        part = self._order.approval_reminder_after
        return [self._ctx.create_timer(patience * part)] if part else []

    def _pay(self) -> Generator[Task[Any], Any, Ending | None]:
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

    def _pick(self) -> Generator[Task[Any], Any, Ending | None]:
        self._step_fails_as = Reason.PICKING_UNAVAILABLE
        self._saga.register(names.WITHDRAW_TASK)
        task = _pick_task(self._order)
        if self._order.picking == "awaited":
            return (yield from self._picked(task))
        recorded = yield self._call(
            names.HAND_TO_WAREHOUSE,
            Handover(
                order_id=self._order.order_id,
                run_id=self._order.run_id,
                total_cents=self._total_cents or 0,
                task=task,
            ),
        )
        return _stop(Recorded.model_validate(recorded))

    def _picked(self, task: TaskOrder) -> Generator[Task[Any], Any, Ending | None]:
        """Have the task done, and wait for its end."""
        cancelled = self._cancellation()
        picked: Any = self._ctx.call_child_workflow(
            names.TASK_PROCESSING,
            input=task.model_dump(mode="json"),
            instance_id=f"{names.PICK_PREFIX}{self._order.order_id}",
        )
        first = yield when_any([picked, cancelled])
        if first is cancelled:
            return CANCELLED
        result = TaskResult.model_validate(picked.get_result())
        if result.status is TaskStatus.COMPLETED:
            return None
        if result.status is TaskStatus.TIMED_OUT:
            return failed(Reason.PICKING_TIMED_OUT)
        return failed(Reason.PICKING_UNAVAILABLE)

    def _cancellation(self) -> Any:
        """Wait for a cancellation; an event wakes only the first of those who wait for it."""
        if self._cancelled is None:
            self._cancelled = self._ctx.wait_for_external_event(names.CANCEL_REQUESTED)
        return self._cancelled

    def _take_from_shelf(self) -> Steps:
        self._step_fails_as = Reason.INVENTORY_UNAVAILABLE
        yield self._call(names.UPDATE_INVENTORY, {"order_id": self._order.order_id})
        return COMPLETED

    def _call(self, activity: str, payload: Any, retry: RetryPolicy | None = None) -> Task[Any]:
        return self._ctx.call_activity(activity, input=payload, retry_policy=retry or self._retry)


def _pick_task(order: OrderRun) -> TaskOrder:
    """Write the warehouse's task; a long order is told by its length, one of a batch by its id."""
    pieces = ", ".join(f"{line.quantity} {line.item}" for line in order.lines)
    title = f"Pick {pieces} for order {order.order_id}"
    if not order.lines:
        title = f"Pick order {order.order_id}"
    elif len(title) > LONGEST_TITLE:
        title = f"Pick {len(order.lines)} items for order {order.order_id}"
    return TaskOrder(
        task_id=f"{names.PICK_TASK_PREFIX}{order.order_id}",
        title=title,
        order_id=order.order_id,
        timeout_seconds=order.picking_timeout_seconds,
    )


def _stop(recorded: Recorded) -> Ending | None:
    """Tell whether what was recorded says not to go on."""
    if recorded.superseded:
        raise Superseded
    return CANCELLED if recorded.cancelled else None
