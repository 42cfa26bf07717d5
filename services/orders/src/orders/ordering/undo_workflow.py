"""What follows when an operator stops an order's workflow: everything that it did is undone."""

from collections.abc import Generator
from datetime import timedelta
from typing import Any

from dapr.ext.workflow import DaprWorkflowContext

from orderflow_contracts.orders import OrderStatus, Reason
from orderflow_workflow_runtime.authoring.policies import TELLING_RETRY, retry_for
from orderflow_workflow_runtime.authoring.saga import Saga
from orderflow_workflow_runtime.authoring.tasks import Task
from orders import workflow_names as names
from orders.ordering.messages import Notice, Retried, Undoing, Undone


def order_undo_workflow(
    ctx: DaprWorkflowContext, undone: Undone
) -> Generator[Task[Any], Any, dict[str, str]]:
    """Undo every step that the order may have taken, newest first, and tell its end.

    The stopped workflow may have a step in hand still. Each undoing bars the step that it undoes,
    so a late one has no effect.
    """
    saga = Saga(ctx, retry_for(timedelta(seconds=undone.undo_timeout_seconds)))
    for activity in _steps(undone):
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
    yield ctx.call_activity(names.NOTIFY, input=notice, retry_policy=TELLING_RETRY)
    return {"order_id": undone.order_id, "status": status.value}


def _steps(undone: Undone) -> list[str]:
    """Name what undoes each step that the order may have taken, the first step first."""
    steps = [names.RELEASE_INVENTORY, names.REFUND_PAYMENT, names.WITHDRAW_APPROVAL]
    if undone.only is not None:
        return [step for step in (*steps, names.WITHDRAW_TASK) if step in undone.only]
    return [*steps, names.WITHDRAW_TASK] if undone.withdraws_task else steps


def _conclude_retry(
    ctx: DaprWorkflowContext, undone: Undone, left_over: list[str]
) -> Generator[Task[Any], Any, dict[str, str]]:
    """Tell what became of a further try; the order has its one final status already."""
    retried = Retried(order_id=undone.order_id, retry=undone.retry, not_undone=tuple(left_over))
    yield ctx.call_activity(names.CONCLUDE_RETRY, input=retried, retry_policy=TELLING_RETRY)
    return {"order_id": undone.order_id, "status": "not_undone" if left_over else "settled"}
