"""Builds tasks: their store, activities and edges."""

from dataclasses import dataclass

from orders import workflow_names
from orders.parts import Base, Part, named
from orders.tasks.activities import TaskActivities
from orders.tasks.api import subscribe_tasks, task_router
from orders.tasks.service import Tasks
from orders.tasks.store import TaskStore


@dataclass(frozen=True, kw_only=True)
class TaskPart(Part):
    """The part, and what the pages and ordering use of it."""

    tasks: Tasks
    store: TaskStore


def build(base: Base) -> TaskPart:
    """Wire tasks."""
    store = TaskStore(base.database, base.clock)
    tasks = Tasks(store, base.engine, base.clock)
    subscribe_tasks(base.topics, tasks)
    return TaskPart(
        tasks=tasks,
        store=store,
        activities=named(
            TaskActivities(store, base.settings.pickers), workflow_names.TASK_ACTIVITIES
        ),
        routers=(task_router(tasks),),
    )
