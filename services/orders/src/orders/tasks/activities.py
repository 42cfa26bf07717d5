"""The activities of the task workflow. Activities run at least once, so each is idempotent."""

from collections import Counter
from collections.abc import Sequence
from typing import Final

import structlog
from dapr.ext.workflow import WorkflowActivityContext

from orderflow_contracts.tasks import Task, TaskStatus
from orders import workflow_names as names
from orders.tasks.messages import TaskAssigned, TaskChecked, TaskEnd, TaskOrder, TaskResult
from orders.tasks.store import TaskStore

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

UNAVAILABLE_ASSIGNEES: Final = "test-unavailable-"


class AssigneeUnavailable(Exception):
    """Nobody can take the task at the moment; retry later."""


class TaskActivities:
    """The activities and their dependencies; each method has the name that the engine knows.

    For a test, an assignee whose name begins with `test-unavailable-N` refuses each task N times.
    The built-in payment provider has such customers too.
    """

    def __init__(self, tasks: TaskStore, pickers: Sequence[str]) -> None:
        self._tasks = tasks
        self._pickers = pickers
        self._refusals: Counter[str] = Counter()

    async def validate_task(self, ctx: WorkflowActivityContext, order: TaskOrder) -> TaskChecked:
        """Store the task under its workflow's instance id, or reject it as invalid."""
        instance_id = ctx.workflow_id
        if order.task_id.startswith(names.PICK_TASK_PREFIX) and not _is_of_order(
            order, instance_id
        ):
            return _rejected(order, f"ids beginning with {names.PICK_TASK_PREFIX} are for orders")
        has_title = bool(order.title.strip())
        task = await self._tasks.receive(
            order.task_id,
            instance_id,
            order.title,
            order_id=order.order_id,
            status=TaskStatus.RECEIVED if has_title else TaskStatus.REJECTED,
        )
        if task.instance_id != instance_id:
            return _rejected(order, f"the id belongs to the task of {task.instance_id}")
        if task.status.is_final:
            reason = "has ended" if has_title else "the title is empty"
            checked = _rejected(order, reason)
            return checked.model_copy(update={"ended": result_of(task)})
        return TaskChecked(valid=True)

    async def assign_task(self, _: WorkflowActivityContext, order: TaskOrder) -> TaskAssigned:
        """Assign the task to the person it names, or to the picker with the fewest open tasks."""
        self._be_unavailable(order)
        task = await self._tasks.assign(order.task_id, order.assignee, self._pickers)
        log.info("task_assigned", task_id=task.task_id, assignee=task.assignee)
        return TaskAssigned(assignee=task.assignee)

    async def notify_timeout(self, _: WorkflowActivityContext, end: TaskEnd) -> TaskResult:
        """Record and log that the task timed out."""
        return await self._end(end, "task_timed_out")

    async def send_completion_notification(
        self, _: WorkflowActivityContext, end: TaskEnd
    ) -> TaskResult:
        """Record and log that the task is completed."""
        return await self._end(end, "task_completed")

    async def end_task(self, _: WorkflowActivityContext, end: TaskEnd) -> TaskResult:
        """Record that the task was withdrawn or could not be assigned."""
        return await self._end(end, "task_ended")

    async def _end(self, end: TaskEnd, event: str) -> TaskResult:
        task = await self._tasks.end(end.task_id, end.status, end.completed_at)
        log.info(event, task_id=task.task_id, assignee=task.assignee, status=task.status)
        return result_of(task)

    def _be_unavailable(self, order: TaskOrder) -> None:
        if not order.assignee.startswith(UNAVAILABLE_ASSIGNEES):
            return
        times = order.assignee.removeprefix(UNAVAILABLE_ASSIGNEES).split("-")[0]
        if times.isdecimal() and self._refusals[order.task_id] < int(times):
            self._refusals[order.task_id] += 1
            raise AssigneeUnavailable(f"{order.assignee} does not take {order.task_id} now")


def result_of(task: Task) -> TaskResult:
    """Return how a task ended."""
    written = task.model_dump(mode="json")
    return TaskResult(
        task_id=task.task_id, status=task.status, completed_at=written["completed_at"] or ""
    )


def _is_of_order(order: TaskOrder, instance_id: str) -> bool:
    order_id = order.task_id.removeprefix(names.PICK_TASK_PREFIX)
    return instance_id == f"{names.PICK_PREFIX}{order_id}"


def _rejected(order: TaskOrder, reason: str) -> TaskChecked:
    log.info("task_rejected", task_id=order.task_id, reason=reason)
    return TaskChecked(valid=False, reason=reason)
