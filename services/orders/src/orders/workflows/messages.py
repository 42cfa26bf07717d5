"""What workflows are started with, and what goes to and comes from their activities."""

from datetime import datetime
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from orderflow_contracts.fields import Moment, OrderId
from orderflow_contracts.orders import OrderLine, OrderStatus, Reason
from orderflow_contracts.tasks import TaskId, TaskStatus
from orders.config import LONGEST_PATIENCE_SECONDS, UNDO_TIMEOUT_SECONDS, Picking
from orders.domain import is_low

TASK_TIMEOUT_SECONDS: Final = 24 * 3600.0
LONGEST_TITLE: Final = 200
PRINTABLE_OR_NONE: Final = r"^[^\x00-\x1f\x7f]*$"


class Payload(BaseModel):
    """A frozen payload of the workflow engine."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class OrderPolicy(Payload):
    """The configuration that an order goes by, as it was when its workflow was started.

    `approval_reminder_after` is the part of the approval's time after which the request is said
    again, 0 for never; over `second_approval_threshold_cents` two people must approve; `picking`
    tells whether a task for the warehouse belongs to its way. A run of an earlier version has none
    of these.
    """

    approval_threshold_cents: int
    approval_timeout_seconds: float
    retry_timeout_seconds: float
    approval_reminder_after: float = 0.0
    second_approval_threshold_cents: int | None = None
    picking: Picking = "off"
    picking_timeout_seconds: float = TASK_TIMEOUT_SECONDS
    undo_timeout_seconds: float = UNDO_TIMEOUT_SECONDS

    @classmethod
    def of(cls, settings: object) -> "OrderPolicy":
        """Read the present configuration, of which this is a part."""
        return cls.model_validate(settings, from_attributes=True)


class OrderRun(OrderPolicy):
    """The input of one run of the order workflow: the order, and the configuration it goes by.

    `run_id` names this very run: an order belongs to the first run that gets past its start, so
    that a second one, started by whatever accident, has no effect. A run within a batch names the
    batch and carries the id alone, so that the batch's history stays small: its activities read
    customer, lines and time where the order is kept. `begun_again` says that the engine lost this
    run once: what it had done is done, and if it comes to no good end now, must be undone too.
    """

    order_id: str
    run_id: str
    customer_id: str | None = None
    lines: tuple[OrderLine, ...] = ()
    received_at: datetime | None = None
    batch_id: str | None = None
    begun_again: bool = False


class Notice(Payload):
    """Input of `notify_activity`: the order has this status now."""

    order_id: str
    run_id: str
    status: OrderStatus
    reason: str | None = None
    total_cents: int | None = None
    received_at: datetime | None = None


class Recorded(Payload):
    """What came of a status.

    `superseded`: another run owns the order, so stop here, silently. `cancelled`: somebody asked
    to cancel the order.
    """

    superseded: bool = False
    cancelled: bool = False


class Verification(Payload):
    """Input of `verify_inventory_activity`: set the lines aside."""

    order_id: str
    run_id: str
    lines: tuple[OrderLine, ...] = ()


class Verified(Recorded):
    """Its result: the lines are set aside at this total, or the reason why not."""

    outcome: Literal["reserved", "rejected"]
    total_cents: int | None = None
    reason: Reason | None = None


class ApprovalWanted(Payload):
    """Input of `request_approval_activity`, and of `remind_of_approval_activity` after it.

    So many people as there are `levels` must decide until `expires_at`.
    """

    order_id: str
    run_id: str
    customer_id: str | None = None
    lines: tuple[OrderLine, ...] = ()
    total_cents: int
    expires_at: datetime
    levels: int = 1
    batch_id: str | None = None


class Charge(Payload):
    """Input of `process_payment_activity`."""

    order_id: str
    run_id: str
    customer_id: str | None = None
    amount_cents: int


class Charged(Recorded):
    """Its result: the money is taken, or declined."""

    outcome: Literal["paid", "declined"]


class Undoing(Payload):
    """Input of every activity that undoes a step: which order, and why it does not go on."""

    order_id: str
    run_id: str
    reason: str


class Undone(Payload):
    """The input of the workflow that undoes an order whose own workflow was stopped.

    `status` and `reason` are how the order ends when everything could be undone. With a `retry`,
    counted from 1, the order has ended already, and only what becomes of this try is told;
    `only` then names the activities that are left, if that is known.
    """

    order_id: str
    run_id: str
    status: OrderStatus
    reason: Reason
    total_cents: int | None
    received_at: datetime
    withdraws_task: bool = False
    undo_timeout_seconds: float = UNDO_TIMEOUT_SECONDS
    retry: int = 0
    only: tuple[str, ...] | None = None


class Retried(Payload):
    """Input of `conclude_retry_activity`: what a further try could not undo."""

    order_id: str
    retry: int
    not_undone: tuple[str, ...] = ()


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


class Handover(Payload):
    """Input of `hand_to_warehouse_activity`: a task for an order, and the order's run and total."""

    order_id: str
    run_id: str
    total_cents: int
    task: TaskOrder


class Count(Payload):
    """The input of the counter: where it is, and the pause before the next, in seconds."""

    value: int = 0
    pause_seconds: float = 1.0

    @classmethod
    def read(cls, start: Any) -> "Count":
        """Read what the counter was started with: nothing, a number, or a count.

        The Dapr CLI hands over every input as a text, also a number.
        """
        if start is None:
            return cls()
        return cls.model_validate({"value": start} if isinstance(start, int | str) else start)

    def next(self) -> "Count":
        """Count one further."""
        return self.model_copy(update={"value": self.value + 1})


class Monitored(Payload):
    """The input of a stock monitor: its item, and whether it has told that little is left."""

    item: str
    is_low: bool = False


class StockLevel(Payload):
    """Result of `check_stock_activity`: what is there, and how the service wants it watched.

    `threshold` is None when the item is not to be watched any more, and `available` when
    inventory does not know it. The pauses are in seconds.
    """

    item: str
    available: int | None
    threshold: int | None
    pause_seconds: float
    low_pause_seconds: float
    checked_at: datetime

    @property
    def is_low(self) -> bool:
        """Whether fewer pieces are available than the threshold."""
        return is_low(self.available or 0, self.threshold or 0)


class BatchRun(OrderPolicy):
    """The input of a batch's workflow: which batch, and the configuration it goes by.

    So many orders are under way at a time; one that waits for a person does not count.
    """

    batch_id: str
    parallelism: int


class BatchRef(Payload):
    """Input of the activities of a batch."""

    batch_id: str


class BatchOrderRun(Payload):
    """An order that a batch must run, and the name of that run."""

    order_id: str
    run_id: str


class BatchOpened(Payload):
    """Result of `open_batch_activity`: the orders that nobody has run yet."""

    orders: tuple[BatchOrderRun, ...]


class BatchConcluded(Payload):
    """Result of `conclude_batch_activity`: whether the batch's end is on record and told."""

    has_ended: bool
