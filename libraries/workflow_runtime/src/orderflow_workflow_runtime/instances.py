"""How workflow instances and their histories read, and what can be asked of them. Pure."""

import re
from datetime import timedelta
from enum import StrEnum
from typing import Any, Final

from pydantic import BaseModel

from orderflow_contracts.fields import Moment


class RuntimeStatus(StrEnum):
    """Where an instance is, in Dapr's names."""

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
        """Whether nothing will happen to such an instance any more."""
        return self in FINISHED


FINISHED: Final = frozenset(
    {RuntimeStatus.COMPLETED, RuntimeStatus.FAILED, RuntimeStatus.TERMINATED}
)


class Failure(BaseModel):
    """Why an instance failed, under a stable code, and in which activity if in one."""

    code: str
    type: str
    message: str
    activity: str | None = None

    @classmethod
    def of(cls, error_type: str, message: str) -> "Failure":
        """Read the engine's words."""
        if error_type == "NonDeterminismError" or "non-determin" in message.lower():
            return cls(code="NON_DETERMINISTIC", type=error_type, message=message)
        if error_type == "TaskFailedError":
            return cls(code="ACTIVITY_EXECUTION_FAILED", type=error_type, message=message)
        return cls(code="WORKFLOW_FAILED", type=error_type, message=message)


class Instance(BaseModel):
    """One run of a workflow, as the engine has it."""

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

    `duration_seconds` is the time since what the event ends was begun. `event_id` is what
    `rerun` takes, where the event is one to run again from. `description` says in words what
    happened; the engine gives none, a service may.
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

_UNITS: Final = {"d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0}
_DURATION: Final = re.compile(r"(?:[0-9]+(?:\.[0-9]+)?[dhms])+")
_PART: Final = re.compile(r"([0-9]+(?:\.[0-9]+)?)([dhms])")
LONGEST: Final = timedelta(days=36500)


def parse_duration(text: str) -> timedelta:
    """Read a duration such as `720h`, `1h30m` or `7d`; raise ValueError for anything else."""
    if len(text) > 40 or not _DURATION.fullmatch(text):  # noqa: PLR2004 # no duration is longer
        raise ValueError("is not a duration such as 720h, 30m or 7d")
    seconds = sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(text))
    if seconds > LONGEST.total_seconds():
        raise ValueError("is longer than a hundred years")
    return timedelta(seconds=seconds)
