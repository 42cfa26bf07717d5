"""What workflows are started with, and what goes to and comes from their activities."""

from datetime import datetime
from typing import Literal

from pydantic import ConfigDict

from orderflow_contracts.orders import OrderLine, OrderStatus, Reason
from orderflow_workflow_runtime.authoring.payload import Payload
from orders.config import UNDO_TIMEOUT_SECONDS, Picking
from orders.tasks.messages import TASK_TIMEOUT_SECONDS, TaskOrder


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

    It carries every field of the order, also those that no workflow reads yet.

    `run_id` names this very run: an order belongs to the first run that gets past its start, so
    that a second one, started by whatever accident, has no effect. A run within a batch names the
    batch and carries the id alone, so that the batch's history stays small: its activities read
    customer, lines and time where the order is kept. `begun_again` says that the engine lost this
    run once: what it had done is done, and if it comes to no good end now, must be undone too.
    """

    model_config = ConfigDict(frozen=True, extra="allow")

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


class Handover(Payload):
    """Input of `hand_to_warehouse_activity`: a task for an order, and the order's run and total."""

    order_id: str
    run_id: str
    total_cents: int
    task: TaskOrder
