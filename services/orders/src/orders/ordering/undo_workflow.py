"""The undo workflow: undoes an order whose own workflow was stopped, or retries what is left."""

from collections.abc import Generator
from datetime import timedelta
from typing import Any

from dapr.ext.workflow import DaprWorkflowContext

from orderflow_contracts.orders import OrderStatus, Reason
from orderflow_workflow_runtime.authoring.policies import RETRY_FOR_A_DAY, retry_for
from orderflow_workflow_runtime.authoring.saga import Saga
from orderflow_workflow_runtime.authoring.tasks import Task
from orders.ordering import steps
from orders.ordering.messages import Notice, Retried, Undoing, Undone


def order_undo_workflow(
    ctx: DaprWorkflowContext, undone: Undone
) -> Generator[Task[Any], Any, dict[str, str]]:
    """Run the compensation of every step that the order may have taken, the last step's first.

    An activity of the stopped workflow may still be running. Each compensation blocks the step that
    it undoes, so that the step has no effect if it runs later.
    """
    saga = Saga(ctx, retry_for(timedelta(seconds=undone.undo_timeout_seconds)))
    for activity in _compensations(undone):
        saga.register(activity)
    left_over = yield from saga.undo(
        Undoing(order_id=undone.order_id, run_id=undone.run_id, reason=undone.reason)
    )
    if undone.retry:
        return (yield from _conclude_retry(ctx, undone, left_over))
    status, reason = undone.status, undone.reason
    if left_over:
        status, reason = OrderStatus.NEEDS_ATTENTION, Reason.UNDO_FAILED
    notice = Notice(
        order_id=undone.order_id,
        run_id=undone.run_id,
        status=status,
        reason=reason,
        total_cents=undone.total_cents,
        received_at=undone.received_at,
    )
    yield ctx.call_activity(steps.PUBLISH.activity, input=notice, retry_policy=steps.PUBLISH.retry)
    return {"order_id": undone.order_id, "status": status.value}


def _compensations(undone: Undone) -> list[str]:
    """Return the activities to run; a run of an earlier version keeps that version's sequence."""
    if undone.compensations is not None:
        return list(undone.compensations)
    actions = (steps.RELEASE, steps.REFUND, steps.WITHDRAW_APPROVAL)
    known = [action.activity for action in actions]
    if undone.only is not None:
        return [name for name in (*known, steps.WITHDRAW_TASK.activity) if name in undone.only]
    return [*known, steps.WITHDRAW_TASK.activity] if undone.withdraws_task else known


def _conclude_retry(
    ctx: DaprWorkflowContext, undone: Undone, left_over: list[str]
) -> Generator[Task[Any], Any, dict[str, str]]:
    """Record the result of a retry; the order already has its one final status."""
    retried = Retried(order_id=undone.order_id, retry=undone.retry, not_undone=tuple(left_over))
    yield ctx.call_activity(
        steps.RECORD_RETRY.activity, input=retried, retry_policy=RETRY_FOR_A_DAY
    )
    return {"order_id": undone.order_id, "status": "not_undone" if left_over else "settled"}
