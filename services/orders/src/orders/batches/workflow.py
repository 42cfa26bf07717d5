"""The workflow of a batch: each order runs in a child workflow, a limited number at a time."""

from collections import deque
from collections.abc import Generator
from datetime import timedelta
from typing import Any, Final

from dapr.ext.workflow import DaprWorkflowContext, when_any

from orderflow_workflow_runtime.authoring.policies import RETRY_FOR_A_DAY
from orderflow_workflow_runtime.authoring.tasks import Task
from orders import workflow_names as names
from orders.batches.messages import BatchConcluded, BatchOpened, BatchOrderRun, BatchRef, BatchRun
from orders.ordering.messages import OrderPolicy, OrderRun

FIRST_PAUSE: Final = timedelta(seconds=2)
LONGEST_PAUSE: Final = timedelta(minutes=5)


def order_batch_workflow(
    ctx: DaprWorkflowContext, batch: BatchRun
) -> Generator[Task[Any], Any, dict[str, Any]]:
    """Run the batch's orders, wait until each has its final status, and publish the end.

    An order that fails does not affect the others.
    """
    ref = BatchRef(batch_id=batch.batch_id)
    opened = yield ctx.call_activity(names.OPEN_BATCH, input=ref, retry_policy=RETRY_FOR_A_DAY)
    orders = BatchOpened.model_validate(opened).orders
    yield from _Window(ctx, batch).run(orders)
    pause = FIRST_PAUSE
    while True:
        answer = yield ctx.call_activity(
            names.CONCLUDE_BATCH, input=ref, retry_policy=RETRY_FOR_A_DAY
        )
        if BatchConcluded.model_validate(answer).has_ended:
            return {"batch_id": batch.batch_id, "orders_run": len(orders)}
        yield ctx.create_timer(pause)
        pause = min(pause * 2, LONGEST_PAUSE)


class _Window:
    """The orders in progress; those that wait for a person do not count."""

    def __init__(self, ctx: DaprWorkflowContext, batch: BatchRun) -> None:
        self._ctx = ctx
        self._batch = batch
        self._in_progress: dict[str, Any] = {}
        self._waiting: set[str] = set()
        self._next_waits = ctx.wait_for_external_event(names.ORDER_WAITS)

    def run(self, orders: tuple[BatchOrderRun, ...]) -> Generator[Task[Any], Any, None]:
        """Start an order whenever a slot is free; return when all are done."""
        ahead = deque(orders)
        while ahead or self._in_progress:
            for _ in range(self._batch.starts_at_once or len(ahead)):
                if not (ahead and self._has_slot()):
                    break
                order = ahead.popleft()
                self._in_progress[order.order_id] = self._start(order)
            yield when_any([*self._in_progress.values(), self._next_waits])
            self._update()

    def _has_slot(self) -> bool:
        busy = self._in_progress.keys() - self._waiting
        return len(busy) < self._batch.parallelism

    def _start(self, order: BatchOrderRun) -> Any:
        run = OrderRun(
            order_id=order.order_id,
            run_id=order.run_id,
            batch_id=self._batch.batch_id,
            is_checked=True,
            **self._batch.model_dump(include=set(OrderPolicy.model_fields)),
        )
        return self._ctx.call_child_workflow(
            names.ORDER_PROCESSING,
            input=run.model_dump(mode="json", exclude_none=True),
            instance_id=order.order_id,
        )

    def _update(self) -> None:
        """Remove finished orders, and record which one waits for a person; one event at a time."""
        for order_id in [key for key, task in self._in_progress.items() if task.is_complete]:
            del self._in_progress[order_id]
        while self._next_waits.is_complete:
            self._waiting.add(str(self._next_waits.get_result()))
            self._next_waits = self._ctx.wait_for_external_event(names.ORDER_WAITS)
