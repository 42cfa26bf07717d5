"""What follows when an operator stops an order's workflow: everything that it did is undone."""

from collections.abc import Generator
from typing import Any

from dapr.ext.workflow import DaprWorkflowContext

from orderflow_contracts.orders import OrderStatus, Reason
from orders.workflows import names
from orders.workflows.messages import Notice, Undoing, Undone
from orders.workflows.policies import TELLING_RETRY, UNDO_RETRY
from orders.workflows.saga import Saga
from orders.workflows.tasks import Task


def order_undo_workflow(
    ctx: DaprWorkflowContext, undone: Undone
) -> Generator[Task[Any], Any, dict[str, str]]:
    """Undo every step that the order may have taken, newest first, and tell its end.

    The stopped workflow may have a step in hand still. Each undoing bars the step that it undoes,
    so a late one has no effect.
    """
    saga = Saga(ctx, UNDO_RETRY)
    for activity in (names.RELEASE_INVENTORY, names.REFUND_PAYMENT, names.WITHDRAW_APPROVAL):
        saga.register(activity)
    if undone.withdraws_task:
        saga.register(names.WITHDRAW_TASK)
    left_over = yield from saga.undo(
        Undoing(order_id=undone.order_id, run_id=undone.run_id, reason=undone.reason)
    )
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
