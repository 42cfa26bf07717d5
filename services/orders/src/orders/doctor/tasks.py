"""Open tasks, compared with the workflows that wait for them."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

import structlog

from orderflow_contracts.doctor import TASK_WITHOUT_WORKFLOW
from orderflow_contracts.tasks import Task, TaskStatus
from orderflow_hosting.doctor import Disagreement, Look
from orderflow_workflow_runtime.ports import ManagedEngine
from orders import workflow_names as names
from orders.doctor.damage import or_damaged
from orders.doctor.store import DoctorStore
from orders.tasks.store import TaskStore

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

PAGE: Final = 100
PATIENCE: Final = timedelta(seconds=10)


class OpenTasks:
    """Each open task has a workflow that waits for it."""

    name = "the tasks"
    pages_in_a_round = 2

    def __init__(self, tasks: TaskStore, store: DoctorStore, engine: ManagedEngine) -> None:
        self._tasks = tasks
        self._store = store
        self._engine = engine

    async def page(self, after: str | None) -> Look:
        """Compare the next open tasks, newest first."""
        before = None if after is None else int(after)
        tasks = await self._tasks.tasks(None, PAGE, before, is_open=True)
        found = [await or_damaged(f"task {task.task_id}", self._examine(task)) for _, task in tasks]
        following = str(tasks[-1][0]) if len(tasks) == PAGE else None
        return Look([each for each in found if each is not None], following)

    async def of(self, subject: str) -> Sequence[Disagreement]:
        """Compare the task of one order."""
        task = await self._tasks.task(f"{names.PICK_TASK_PREFIX}{subject}")
        found = None if task is None or task.status.is_final else await self._examine(task)
        return [] if found is None else [found]

    async def _examine(self, task: Task) -> Disagreement | None:
        if self._store.clock() - task.updated_at < PATIENCE:
            return None
        instance = await self._engine.instance(task.instance_id, payloads=False)
        if instance is not None and not instance.runtime_status.is_finished:
            return None
        known = await self._store.known([task.order_id]) if task.order_id else {}
        order = known.get(task.order_id or "")
        # An unfinished order waits for its task's workflow, or starts it again if it was lost too.
        is_safe = order is None or order.status.is_final
        end = TaskStatus.FAILED if order is None else TaskStatus.WITHDRAWN

        async def heal() -> None:
            await self._tasks.end(task.task_id, end)

        return Disagreement(
            TASK_WITHOUT_WORKFLOW,
            f"task {task.task_id}",
            f"it is {task.status}, but its workflow {task.instance_id} "
            f"{'is gone' if instance is None else f'has ended as {instance.runtime_status}'}",
            f"{task.status} {order.evidence if order else ''}",
            heal if is_safe else None,
        )
