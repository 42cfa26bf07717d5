"""The task workflow: validate, assign, and wait until the task is completed or times out."""

import contextlib
from collections.abc import Generator
from datetime import timedelta
from typing import Any, Final

from dapr.ext.workflow import DaprWorkflowContext, RetryPolicy, TaskFailedError, when_any
from pydantic import ValidationError

from orderflow_contracts.tasks import TaskStatus
from orderflow_workflow_runtime.authoring.policies import RETRY_FOR_A_DAY
from orderflow_workflow_runtime.authoring.tasks import Task
from orders import workflow_names as names
from orders.tasks.messages import Completion, TaskChecked, TaskEnd, TaskOrder, TaskResult

ASSIGN_RETRY: Final = RetryPolicy(
    first_retry_interval=timedelta(seconds=1), max_number_of_attempts=3, backoff_coefficient=2.0
)
"""For assigning a task: if nobody can take it soon, the task fails, and a person must act."""


def task_processing_workflow(
    ctx: DaprWorkflowContext, given: Any
) -> Generator[Task[Any], Any, dict[str, str]]:
    """Run one task and return how it ended.

    The end recorded in the table of tasks is final: the task may have been withdrawn there.
    """
    try:
        task = TaskOrder.read(given)
    except ValidationError:  # not stored, because its id cannot be trusted
        return TaskResult(task_id="", status=TaskStatus.REJECTED).model_dump(mode="json")
    result = yield from _carry_out(ctx, task)
    return TaskResult.model_validate(result).model_dump(mode="json")


def _carry_out(ctx: DaprWorkflowContext, task: TaskOrder) -> Generator[Task[Any], Any, Any]:
    answer = yield ctx.call_activity(names.VALIDATE_TASK, input=task, retry_policy=RETRY_FOR_A_DAY)
    checked = TaskChecked.model_validate(answer)
    if not checked.valid:
        return checked.ended or TaskResult(task_id=task.task_id, status=TaskStatus.REJECTED)
    try:
        yield ctx.call_activity(names.ASSIGN_TASK, input=task, retry_policy=ASSIGN_RETRY)
    except TaskFailedError:
        yield _end(ctx, names.END_TASK, TaskEnd(task_id=task.task_id, status=TaskStatus.FAILED))
        raise
    end = yield from _outcome(ctx, task)
    activities = {
        TaskStatus.COMPLETED: names.SEND_COMPLETION,
        TaskStatus.TIMED_OUT: names.NOTIFY_TIMEOUT,
    }
    return (yield _end(ctx, activities.get(end.status, names.END_TASK), end))


def _outcome(ctx: DaprWorkflowContext, task: TaskOrder) -> Generator[Task[Any], Any, TaskEnd]:
    """Wait for the end of the task; an event without a valid time of completion is ignored."""
    withdrawn = ctx.wait_for_external_event(names.TASK_WITHDRAWN)
    expired = ctx.create_timer(timedelta(seconds=task.timeout_seconds))
    while True:
        completed = ctx.wait_for_external_event(names.TASK_COMPLETED)
        first = yield when_any([completed, withdrawn, expired])
        if first is withdrawn:
            return TaskEnd(task_id=task.task_id, status=TaskStatus.WITHDRAWN)
        if first is expired:
            return TaskEnd(task_id=task.task_id, status=TaskStatus.TIMED_OUT)
        with contextlib.suppress(ValidationError):
            completion = Completion.read(completed.get_result())
            return TaskEnd(
                task_id=task.task_id,
                status=TaskStatus.COMPLETED,
                completed_at=completion.completed_at,
            )


def _end(ctx: DaprWorkflowContext, activity: str, end: TaskEnd) -> Any:
    return ctx.call_activity(activity, input=end, retry_policy=RETRY_FOR_A_DAY)
