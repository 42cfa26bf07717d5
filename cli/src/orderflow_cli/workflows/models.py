"""Workflow instances and their histories, as orders tells them."""

from enum import StrEnum
from typing import Any, Final

from orderflow_contracts.fields import Message, Moment


class RuntimeStatus(StrEnum):
    """Where an instance is, in the engine's names."""

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
    """Why an instance failed, under a stable code, and in which activity if it was in one."""

    code: str
    type: str | None = None
    message: str
    activity: str | None = None


class Workflow(Message):
    """An instance; its status is text, for the engine may have one that is not known here."""

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
        """Whether nothing more will happen to it."""
        return self.runtime_status in FINISHED


class HistoryEvent(Message):
    """Something that happened to an instance.

    `duration_seconds` is the time since that was begun which this ends. `event_id` is what a
    rerun starts from, where the event can be rerun.
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


class Done(Message):
    """What was asked is done or under way."""

    message: str


class Started(Done):
    """An instance was started."""

    instance_id: str


class Purged(Done):
    """So many instances were forgotten."""

    purged: int
