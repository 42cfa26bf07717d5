"""The order workflow: from the first published status to the one final status."""

import contextlib
from collections.abc import Generator
from datetime import UTC, timedelta
from typing import Any

from dapr.ext.workflow import (
    DaprWorkflowContext,
    TaskFailedError,
    when_any,
)
from pydantic import ValidationError

from orderflow_contracts.approvals import Decision
from orderflow_contracts.names import APPROVAL_DECIDED
from orderflow_contracts.orders import OrderStatus, Reason
from orderflow_contracts.tasks import TaskStatus
from orderflow_workflow_runtime.authoring.policies import retry_for
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
from orders.explanations import why_denied, why_expired
from orders.ordering import steps
from orders.ordering.actions import Step
from orders.ordering.messages import Notice, OrderRun, Recorded, Undoing
from orders.ordering.steps import (
    ApprovalWanted,
    Charge,
    Charged,
    Confirmation,
    Confirmed,
    Handover,
    Verification,
    Verified,
)
from orders.tasks.messages import LONGEST_TITLE, TaskOrder, TaskResult

Steps = Generator[Task[Any], Any, Ending]


class Superseded(Exception):
    """Another run owns this order; this one stops without any effect."""


def order_processing_workflow(
    ctx: DaprWorkflowContext, order: OrderRun
) -> Generator[Task[Any], Any, dict[str, str | None]]:
    """Process one order: reserve stock, have a large order approved, capture the payment, ship.

    Unless the order completes, every step that it took is compensated, the newest first.
    """
    process = _OrderProcess(ctx, order)
    try:
        ending = yield from process.run()
        if not ending.is_good:
            ending = yield from process.compensate(ending)
        published = yield process.publish(ending.status, ending.reason, ending.detail)
        _stop(Recorded.model_validate(published))
    except Superseded:
        return {"order_id": order.order_id, "status": "superseded", "reason": None}
    return {"order_id": order.order_id, "status": ending.status, "reason": ending.reason}


class _OrderProcess:
    """The processing of one order: the state that its steps share, and each step as a method."""

    def __init__(self, ctx: DaprWorkflowContext, order: OrderRun) -> None:
        self._ctx = ctx
        self._order = order
        self._total_cents: int | None = None
        self._step = steps.RESERVE
        self._retry = retry_for(timedelta(seconds=order.retry_timeout_seconds))
        self._saga = Saga(ctx, retry_for(timedelta(seconds=order.undo_timeout_seconds)))
        self._cancelled: Any = None
        self._is_checked = order.is_checked

    def run(self) -> Steps:
        """Run the steps one by one; return how the order ends."""
        for compensation in _left_by_lost_run(self._order):
            self._saga.register(compensation)
        try:
            ending = yield from self._reserve()
            if ending is None and (levels := self._approval_levels()):
                ending = yield from self._approve(levels)
            if ending is None:
                ending = yield from self._pay()
            if ending is None and self._order.picking != "off":
                ending = yield from self._pick()
            if ending is None:
                ending = yield from self._ship()
        except TaskFailedError:
            return failed(self._step.fails_as)
        return ending

    def compensate(self, ending: Ending) -> Steps:
        """Undo the steps that were taken; the ending changes only if one cannot be undone."""
        why = Undoing(
            order_id=self._order.order_id, run_id=self._order.run_id, reason=str(ending.reason)
        )
        not_undone = yield from self._saga.undo(why)
        return UNDO_FAILED if not_undone else ending

    def publish(
        self, status: OrderStatus, reason: str | None = None, detail: str | None = None
    ) -> Task[Any]:
        """Record and publish the order's next status."""
        notice = Notice(
            order_id=self._order.order_id,
            run_id=self._order.run_id,
            status=status,
            reason=reason,
            detail=detail,
            total_cents=self._total_cents,
            received_at=self._order.received_at,
        )
        return self._call(steps.PUBLISH, notice)

    def _reserve(self) -> Generator[Task[Any], Any, Ending | None]:
        if not self._is_checked:
            yield self.publish(OrderStatus.RECEIVED)
        self._begin(steps.RESERVE)
        answer = yield self._call(
            steps.RESERVE,
            Verification(
                order_id=self._order.order_id,
                run_id=self._order.run_id,
                lines=self._order.lines,
            ),
        )
        result = Verified.model_validate(answer)
        if result.outcome == "rejected" and result.reason is not None:
            self._had_no_effect(steps.RESERVE)
            return rejected(result.reason, result.detail)
        self._total_cents = result.total_cents
        return _stop(result)

    def _approval_levels(self) -> int:
        return approval_levels(
            self._total_cents or 0,
            self._order.approval_threshold_cents,
            self._order.second_approval_threshold_cents,
        )

    def _approve(self, levels: int) -> Generator[Task[Any], Any, Ending | None]:
        self._begin(steps.REQUEST_APPROVAL)
        patience = timedelta(seconds=self._order.approval_timeout_seconds)
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
        recorded = yield self._call(steps.REQUEST_APPROVAL, wanted)
        if ending := _stop(Recorded.model_validate(recorded)):
            return ending
        decision = yield from self._decision(wanted, patience)
        if isinstance(decision, Ending):
            return decision
        self._had_no_effect(steps.REQUEST_APPROVAL)  # a request that was decided is closed
        if isinstance(decision, Confirmed):
            if decision.outcome == "denied":
                return rejected(Reason.DENIED, decision.detail)
            return _stop(decision)
        if not decision.approved:
            return rejected(Reason.DENIED, why_denied(decision))
        recorded = yield self.publish(OrderStatus.APPROVED)
        return _stop(Recorded.model_validate(recorded))

    def _decision(
        self, wanted: ApprovalWanted, patience: timedelta
    ) -> Generator[Task[Any], Any, Decision | Confirmed | Ending]:
        """Wait for a decision, and send one reminder; return the ending if none is made.

        An event only says that there is something to read: a decision, or a cancellation. Runs of
        earlier versions believe it.
        """
        cancelled = self._cancellation()
        expired = self._ctx.create_timer(patience)
        reminder = self._reminder_timer(patience)
        decided = self._ctx.wait_for_external_event(APPROVAL_DECIDED)
        while True:
            first = yield when_any([decided, cancelled, expired, *reminder])
            if first is expired:
                return rejected(Reason.APPROVAL_EXPIRED, why_expired(wanted.expires_at))
            if first is cancelled and not self._is_checked:
                return CANCELLED
            if first in reminder:
                # The reminder is not awaited: a decision may come before it is sent.
                reminder = []
                self._call(steps.REMIND, wanted)
                continue
            if self._is_checked:
                confirmed = yield from self._confirmed()
                if confirmed is not None:
                    return confirmed
            else:
                with contextlib.suppress(ValidationError):  # not a decision: go on waiting
                    return Decision.model_validate(decided.get_result())
            if first is cancelled:
                cancelled = self._next_cancellation()
            else:
                decided = self._ctx.wait_for_external_event(APPROVAL_DECIDED)

    def _confirmed(self) -> Generator[Task[Any], Any, Confirmed | Ending | None]:
        """Read what is on record: a decision, or that the order is cancelled; None if neither."""
        confirmation = Confirmation(
            order_id=self._order.order_id,
            run_id=self._order.run_id,
            total_cents=self._total_cents or 0,
        )
        confirmed = Confirmed.model_validate((yield self._call(steps.CONFIRM, confirmation)))
        return _stop(confirmed) if confirmed.outcome == "open" else confirmed

    def _reminder_timer(self, patience: timedelta) -> list[Any]:
        """Set the timer of the reminder; there is none if the setting is 0 or the run is older."""
        part = self._order.approval_reminder_after
        return [self._ctx.create_timer(patience * part)] if part else []

    def _pay(self) -> Generator[Task[Any], Any, Ending | None]:
        self._begin(steps.PAY)
        answer = yield self._call(
            steps.PAY,
            Charge(
                order_id=self._order.order_id,
                run_id=self._order.run_id,
                customer_id=self._order.customer_id,
                amount_cents=self._total_cents or 0,
            ),
        )
        result = Charged.model_validate(answer)
        if result.outcome == "declined":
            self._had_no_effect(steps.PAY)
            return rejected(Reason.PAYMENT_DECLINED, result.detail)
        if result.outcome == "not_charged" and self._is_checked:
            self._had_no_effect(steps.PAY)
        return _stop(result)

    def _pick(self) -> Generator[Task[Any], Any, Ending | None]:
        task = _pick_task(self._order)
        if self._order.picking == "awaited":
            return (yield from self._picked(task))
        self._begin(steps.HAND_OVER)
        recorded = yield self._call(
            steps.HAND_OVER,
            Handover(
                order_id=self._order.order_id,
                run_id=self._order.run_id,
                total_cents=self._total_cents or 0,
                task=task,
            ),
        )
        return _stop(Recorded.model_validate(recorded))

    def _picked(self, task: TaskOrder) -> Generator[Task[Any], Any, Ending | None]:
        """Start the warehouse's task, and wait until it has ended."""
        self._begin(steps.PICK)
        cancelled = self._cancellation()
        picked: Any = self._ctx.call_child_workflow(
            steps.PICK.activity,
            input=task.model_dump(mode="json"),
            instance_id=f"{names.PICK_PREFIX}{self._order.order_id}",
        )
        while (yield when_any([picked, cancelled])) is cancelled:
            if not self._is_checked:
                return CANCELLED
            recorded = yield self.publish(OrderStatus.PAID)  # once more, to read the order's row
            if ending := _stop(Recorded.model_validate(recorded)):
                return ending
            cancelled = self._next_cancellation()
        result = TaskResult.model_validate(picked.get_result())
        if result.status is TaskStatus.COMPLETED:
            return None
        if result.status is TaskStatus.TIMED_OUT:
            return failed(Reason.PICKING_TIMED_OUT)
        return failed(Reason.PICKING_UNAVAILABLE)

    def _cancellation(self) -> Any:
        """Wait for a cancellation, once: an event completes only the first wait for it."""
        if self._cancelled is None:
            self._cancelled = self._ctx.wait_for_external_event(names.CANCEL_REQUESTED)
        return self._cancelled

    def _next_cancellation(self) -> Any:
        """Wait again: the last event was not about a cancellation on record."""
        self._cancelled = None
        return self._cancellation()

    def _ship(self) -> Steps:
        self._begin(steps.SHIP)
        yield self._call(steps.SHIP, {"order_id": self._order.order_id})
        return COMPLETED

    def _begin(self, step: Step) -> None:
        """Make this the current step, and register its compensation before it has any effect."""
        self._step = step
        if step.compensation is not None:
            self._saga.register(step.compensation.activity)

    def _had_no_effect(self, step: Step) -> None:
        """Leave out the step's compensation: there is nothing to undo."""
        if step.compensation is not None:
            self._saga.forget(step.compensation.activity)

    def _call(self, step: Step, payload: Any) -> Task[Any]:
        return self._ctx.call_activity(
            step.activity, input=payload, retry_policy=step.retry or self._retry
        )


def _left_by_lost_run(order: OrderRun) -> tuple[str, ...]:
    """Return the compensations for a lost earlier run of the order.

    Runs that an earlier version restarted have no names in their input, and only the refund.
    """
    if order.begun_again and order.compensations is None:
        return (steps.REFUND.activity,)
    return order.compensations or ()


def _pick_task(order: OrderRun) -> TaskOrder:
    """Create the warehouse task; its title counts the items if their names would be too long."""
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
    """Return how the order ends if the recorded status says that it must not go on."""
    if recorded.superseded:
        raise Superseded
    return CANCELLED if recorded.cancelled else None
