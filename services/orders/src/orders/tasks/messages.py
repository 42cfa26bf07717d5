"""The inputs and results of the task workflow and its activities."""

from typing import Annotated, Any, Final

from pydantic import Field, StringConstraints

from orderflow_contracts.fields import Moment, OrderId
from orderflow_contracts.tasks import TaskId, TaskStatus
from orderflow_workflow_runtime.authoring.payload import Payload
from orders.config import LONGEST_PATIENCE_SECONDS

TASK_TIMEOUT_SECONDS: Final = 24 * 3600.0


LONGEST_TITLE: Final = 200


PRINTABLE_OR_NONE: Final = r"^[^\x00-\x1f\x7f]*$"


class TaskOrder(Payload):
    """The input of the task workflow: what to do, and the assignee if there is one.

    An empty title is accepted here, because the workflow's first step rejects it.
    """

    task_id: TaskId
    title: Annotated[str, StringConstraints(max_length=LONGEST_TITLE, pattern=PRINTABLE_OR_NONE)]
    assignee: Annotated[str, StringConstraints(max_length=128, pattern=PRINTABLE_OR_NONE)] = ""
    order_id: OrderId | None = None
    timeout_seconds: Annotated[float, Field(gt=0, le=LONGEST_PATIENCE_SECONDS)] = (
        TASK_TIMEOUT_SECONDS
    )

    @classmethod
    def read(cls, given: Any) -> "TaskOrder":
        """Parse the workflow's input, which the Dapr CLI passes as a string."""
        return (
            cls.model_validate_json(given) if isinstance(given, str) else cls.model_validate(given)
        )


class TaskResult(Payload):
    """The result of the task workflow, and of the activities that change a task.

    `completed_at` is a time in RFC 3339, empty unless the task is completed.
    """

    task_id: str
    status: TaskStatus
    completed_at: str = ""


class TaskChecked(Payload):
    """The result of `validate_task`: whether the task is valid, or the reason why not.

    `ended` is the result if the task has already ended, in an earlier run or before its start.
    """

    valid: bool
    reason: str = ""
    ended: TaskResult | None = None


class TaskAssigned(Payload):
    """The result of `assign_task`."""

    assignee: str


class TaskEnd(Payload):
    """Input of the activities that record how a task ended."""

    task_id: str
    status: TaskStatus
    completed_at: Moment | None = None


class Completion(Payload):
    """The payload of the event `task_completed`."""

    completed_at: Moment

    @classmethod
    def read(cls, given: Any) -> "Completion":
        """Parse the event's data, which the Dapr CLI may pass as a string."""
        return (
            cls.model_validate_json(given) if isinstance(given, str) else cls.model_validate(given)
        )
