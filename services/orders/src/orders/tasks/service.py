"""The use cases of tasks: list, read and complete."""

from collections.abc import Sequence
from datetime import datetime

import structlog

from orderflow_contracts.fields import Clock, now
from orderflow_contracts.tasks import Task, TaskStatus
from orderflow_workflow_runtime.ports import Engine, NoSuchInstance
from orders import workflow_names as names
from orders.tasks.messages import Completion
from orders.tasks.store import TaskStore

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class UnknownTask(Exception):
    """There is no task with this id."""

    def __init__(self, task_id: str) -> None:
        super().__init__(f"there is no task {task_id}")


class TaskEnded(Exception):
    """The task has ended without being completed."""

    def __init__(self, task: Task) -> None:
        super().__init__(f"task {task.task_id} has ended: it is {task.status}")


class Tasks:
    """Lists, reads and completes tasks."""

    def __init__(self, store: TaskStore, engine: Engine, clock: Clock = now) -> None:
        self._clock = clock
        self._store = store
        self._engine = engine

    async def task(self, task_id: str) -> Task:
        """Return a task. Raises `UnknownTask`."""
        task = await self._store.task(task_id)
        if task is None:
            raise UnknownTask(task_id)
        return task

    async def list(
        self, status: TaskStatus | None, limit: int, before: int | None, *, is_open: bool = False
    ) -> Sequence[tuple[int, Task]]:
        """Return up to `limit` tasks, newest first, each with its number."""
        return await self._store.tasks(status, limit, before, is_open=is_open)

    async def complete(self, task_id: str, completed_at: datetime | None = None) -> Task:
        """Complete a task, at the given time or now. Completing it again has no further effect.

        If the engine has lost the workflow of an order's task, the completion is recorded at once:
        the order is begun again, and finds it.

        Raises `UnknownTask`, `TaskEnded` and `EngineUnavailable`.
        """
        task = await self.task(task_id)
        done_at = completed_at or self._clock()
        end = TaskStatus.FAILED
        if not task.status.is_final:
            instance = await self._engine.instance(task.instance_id, payloads=False)
            if instance is not None and not instance.runtime_status.is_finished:
                if await self._raise_completion(task, done_at):
                    return task
                instance = None
            if instance is None and task.order_id is not None:
                end = TaskStatus.COMPLETED
        # A workflow that ended by itself has recorded it; one that was terminated could not.
        is_done = end is TaskStatus.COMPLETED
        task = await self._store.end(task_id, end, done_at if is_done else None)
        if task.status is not TaskStatus.COMPLETED:
            raise TaskEnded(task)
        return task

    async def _raise_completion(self, task: Task, done_at: datetime) -> bool:
        """Send the completion to the task's workflow; return False if the engine has lost that."""
        completion = Completion(completed_at=done_at)
        try:
            await self._engine.raise_event(task.instance_id, names.TASK_COMPLETED, completion)
        except NoSuchInstance:
            log.warning("task_lost", task_id=task.task_id, instance_id=task.instance_id)
            return False
        log.info("task_completion_raised", task_id=task.task_id)
        return True
