"""Workflow instances and their histories, as returned by orders."""

from enum import StrEnum
from typing import Any, Final

from orderflow_contracts.fields import Message, Moment


class RuntimeStatus(StrEnum):
    """The state of an instance, as the engine names it."""

    PENDING = "PENDING"
    RUNNING = "RUNNING"
    SUSPENDED = "SUSPENDED"
    STALLED = "STALLED"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    TERMINATED = "TERMINATED"


FINISHED: Final = frozenset(
    {RuntimeStatus.COMPLETED, RuntimeStatus.FAILED, RuntimeStatus.TERMINATED}
)


class Failure(Message):
    """Why an instance failed: a stable code, and the activity if one failed."""

    code: str
    type: str | None = None
    message: str
    activity: str | None = None


class Workflow(Message):
    """An instance; its status is text because a newer engine may have unknown states."""

    instance_id: str
    name: str
    runtime_status: str
    created_at: Moment
    last_updated_at: Moment
    input: Any = None
    output: Any = None
    custom_status: Any = None
    failure: Failure | None = None

    @property
    def is_finished(self) -> bool:
        """Whether it has finished."""
        return self.runtime_status in FINISHED


class HistoryEvent(Message):
    """An event in an instance's history.

    `duration_seconds` is how long the work that this event completes took. A rerun can start from
    `event_id` if `is_rerunnable`.
    """

    event_id: int | None = None
    at: Moment
    type: str
    name: str | None = None
    duration_seconds: float | None = None
    input: Any = None
    output: Any = None
    error: str | None = None
    is_rerunnable: bool = False
    description: str | None = None


class Accepted(Message):
    """The request was accepted."""

    message: str


class Started(Accepted):
    """An instance was started."""

    instance_id: str


class Purged(Accepted):
    """The number of instances that were purged."""

    purged: int
