"""What the task workflow is started with, and what goes to and comes from its activities."""

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
    """The input of one run of the task workflow: what is to be done, and by whom if that is known.

    A title may be empty here: to refuse it is a step of the workflow.
    """

    task_id: TaskId
    title: Annotated[
        str, StringConstraints(max_length=LONGEST_TITLE, pattern=r"^[^\x00-\x1f\x7f]*$")
    ]
    assignee: Annotated[str, StringConstraints(max_length=128, pattern=r"^[^\x00-\x1f\x7f]*$")] = ""
    order_id: OrderId | None = None
    timeout_seconds: Annotated[float, Field(gt=0, le=LONGEST_PATIENCE_SECONDS)] = (
        TASK_TIMEOUT_SECONDS
    )

    @classmethod
    def read(cls, given: Any) -> "TaskOrder":
        """Read what the workflow was started with; the Dapr CLI hands it over as a text."""
        return (
            cls.model_validate_json(given) if isinstance(given, str) else cls.model_validate(given)
        )


class TaskResult(Payload):
    """The result of the task workflow, and how a task stands after one of its activities.

    `completed_at` is a time in RFC 3339, empty unless the task is completed.
    """

    task_id: str
    status: TaskStatus
    completed_at: str = ""


class TaskChecked(Payload):
    """The result of `validate_task`: whether the task is to be done, or else why not.

    `ended` is how it ended, if it has: an earlier run under the same id, or before its start.
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
    """What comes with the event `task_completed`."""

    completed_at: Moment

    @classmethod
    def read(cls, given: Any) -> "Completion":
        """Read it, also from a text that holds the JSON, as the Dapr CLI may send it."""
        return (
            cls.model_validate_json(given) if isinstance(given, str) else cls.model_validate(given)
        )
