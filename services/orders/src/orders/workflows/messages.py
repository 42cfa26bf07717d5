"""What workflows are started with, and what goes to and comes from their activities."""

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from orderflow_contracts.orders import OrderLine, OrderStatus, Reason


class Payload(BaseModel):
    """A frozen payload of the workflow engine."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class OrderRun(Payload):
    """The input of one run of the order workflow: the order, and the configuration it goes by.

    `run_id` names this very run: an order belongs to the first run that gets past its start, so
    that a second one, started by whatever accident, has no effect. A run within a batch names the
    batch and carries the id alone, so that the batch's history stays small: its activities read
    customer, lines and time where the order is kept.
    """

    order_id: str
    run_id: str
    customer_id: str | None = None
    lines: tuple[OrderLine, ...] = ()
    received_at: datetime | None = None
    approval_threshold_cents: int
    approval_timeout_seconds: float
    retry_timeout_seconds: float
    batch_id: str | None = None


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
    """Input of `request_approval_activity`: a person must decide until `expires_at`."""

    order_id: str
    run_id: str
    customer_id: str | None = None
    lines: tuple[OrderLine, ...] = ()
    total_cents: int
    expires_at: datetime
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

    `status` and `reason` are how the order ends when everything could be undone.
    """

    order_id: str
    run_id: str
    status: OrderStatus
    reason: Reason
    total_cents: int | None
    received_at: datetime


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


class BatchRun(Payload):
    """The input of a batch's workflow: which batch, and the configuration it goes by.

    So many orders are under way at a time; one that waits for a person does not count.
    """

    batch_id: str
    parallelism: int
    approval_threshold_cents: int
    approval_timeout_seconds: float
    retry_timeout_seconds: float


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
