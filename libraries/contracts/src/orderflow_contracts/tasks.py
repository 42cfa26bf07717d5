"""Tasks for people: how one reads, and the event that one is done."""

from enum import StrEnum
from typing import Annotated, Final

from pydantic import StringConstraints

from orderflow_contracts.fields import Message, Moment

TaskId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,80}$")]
"""The letters of an order's id, and more of them: an order's task has a name made of that id."""


class TaskStatus(StrEnum):
    """Where a task is."""

    RECEIVED = "received"
    ASSIGNED = "assigned"
    COMPLETED = "completed"
    TIMED_OUT = "timed_out"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"
    FAILED = "failed"

    @property
    def is_final(self) -> bool:
        """Whether a task with this status has ended."""
        return self not in OPEN_STATUSES


OPEN_STATUSES: Final = frozenset({TaskStatus.RECEIVED, TaskStatus.ASSIGNED})


class TaskCompleted(Message):
    """Topic `tasks.completed`: somebody has done a task, at this time, or just now if none."""

    task_id: TaskId
    completed_at: Moment | None = None


class Task(Message):
    """A task as orders answers it over HTTP."""

    task_id: TaskId
    instance_id: str
    title: str
    assignee: str
    order_id: str | None = None
    status: TaskStatus
    created_at: Moment
    updated_at: Moment
    completed_at: Moment | None = None
