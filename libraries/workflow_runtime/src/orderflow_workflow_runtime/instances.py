"""Workflow instances and the events of their histories."""

from enum import StrEnum
from typing import Any, Final

from pydantic import BaseModel

from orderflow_contracts.fields import Moment


class RuntimeStatus(StrEnum):
    """The status of an instance, with Dapr's names."""

    UNKNOWN = "UNKNOWN"
    PENDING = "PENDING"
    RUNNING = "RUNNING"
    SUSPENDED = "SUSPENDED"
    STALLED = "STALLED"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    TERMINATED = "TERMINATED"

    @property
    def is_finished(self) -> bool:
        """Whether an instance with this status has ended."""
        return self in FINISHED


FINISHED: Final = frozenset(
    {RuntimeStatus.COMPLETED, RuntimeStatus.FAILED, RuntimeStatus.TERMINATED}
)


class Failure(BaseModel):
    """Why an instance failed: a stable code, the engine's message, and any failed activity."""

    code: str
    type: str
    message: str
    activity: str | None = None

    @classmethod
    def of(cls, error_type: str, message: str) -> "Failure":
        """Classify an error of the engine."""
        if error_type == "NonDeterminismError" or "non-determin" in message.lower():
            return cls(code="NON_DETERMINISTIC", type=error_type, message=message)
        if error_type == "TaskFailedError":
            return cls(code="ACTIVITY_EXECUTION_FAILED", type=error_type, message=message)
        return cls(code="WORKFLOW_FAILED", type=error_type, message=message)


class Instance(BaseModel):
    """One run of a workflow, as the engine reports it."""

    instance_id: str
    name: str
    runtime_status: RuntimeStatus
    created_at: Moment
    last_updated_at: Moment
    input: Any = None
    output: Any = None
    custom_status: Any = None
    failure: Failure | None = None


class HistoryEvent(BaseModel):
    """Something that happened to an instance.

    `duration_seconds` is set on an event that ends something, such as an activity: the time since
    it began. If `is_rerunnable`, `rerun` accepts the `event_id`. `description` says in words what
    happened; the engine provides none, but a service may.
    """

    event_id: int | None
    at: Moment
    type: str
    name: str | None = None
    duration_seconds: float | None = None
    input: Any = None
    output: Any = None
    error: str | None = None
    is_rerunnable: bool = False
    description: str | None = None

    @property
    def is_call(self) -> bool:
        """Whether an activity or a child workflow was called."""
        return self.type in _CALLS

    @property
    def is_success(self) -> bool:
        """Whether an activity or a child workflow succeeded."""
        return self.type in _SUCCESSES

    @property
    def is_failure(self) -> bool:
        """Whether an attempt at an activity, or a child workflow, failed."""
        return self.type in _FAILURES


_CALLS: Final = frozenset({"task_scheduled", "child_workflow_instance_created"})
_SUCCESSES: Final = frozenset({"task_completed", "child_workflow_instance_completed"})
_FAILURES: Final = frozenset({"task_failed", "child_workflow_instance_failed"})
