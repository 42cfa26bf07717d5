"""Tasks for people: the task as the API shows it, and the event that completes one."""

from enum import StrEnum
from typing import Annotated, Final

from pydantic import StringConstraints

from orderflow_contracts.fields import Message, Moment

TaskId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,80}$")]
"""Like an order id but longer, because the id of an order's task contains the order's id."""


class TaskStatus(StrEnum):
    """The status of a task."""

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
    """Topic `tasks.completed`: a task was completed; `completed_at` defaults to when it is read."""

    task_id: TaskId
    completed_at: Moment | None = None


class Task(Message):
    """A task as the API of orders shows it."""

    task_id: TaskId
    instance_id: str
    title: str
    assignee: str
    order_id: str | None = None
    status: TaskStatus
    created_at: Moment
    updated_at: Moment
    completed_at: Moment | None = None
