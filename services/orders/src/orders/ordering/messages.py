"""The inputs of the workflows, and the payloads of activities that belong to no single step."""

from datetime import datetime

from pydantic import ConfigDict

from orderflow_contracts.orders import OrderLine, OrderStatus, Reason
from orderflow_workflow_runtime.authoring.payload import Payload
from orders.config import UNDO_TIMEOUT_SECONDS, Picking
from orders.tasks.messages import TASK_TIMEOUT_SECONDS


class OrderPolicy(Payload):
    """The configuration that applies to an order, as it was when its workflow was started.

    `approval_reminder_after` is the fraction of the approval's time after which a reminder is
    sent, 0 for never. Above `second_approval_threshold_cents` two people must approve. `picking`
    says whether the warehouse gets a task. Runs of earlier versions have none of these fields.
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
        """Read the policy from the current settings."""
        return cls.model_validate(settings, from_attributes=True)


class OrderRun(OrderPolicy):
    """The input of one run of the order workflow: the order, and the policy that applies to it.

    It has every field of the order, including those that no workflow reads yet.

    `run_id` identifies the run: only the one that is recorded with the order may act for it, so
    that a second one, started by accident, has no effect. A run within a batch names the batch and
    has only the order's id, so that the batch's history stays small: its activities read the
    rest from the store. `is_checked`: the run was recorded with the order, so `received` needs no
    activity, and events count only if what they say is on record; not so in runs of earlier
    versions. `begun_again` means that the engine lost this run once. `compensations` names the
    activities that undo what the lost run may have done, in the order of the steps; runs that an
    earlier version restarted have none. The actions of such a run count from `first_action`, so
    that late results of the lost run do not reach it. `approval_expires_at` is the deadline of the
    lost run's request for approval, if that has passed. Without `received_at`, the first statuses
    are read from the store.
    """

    model_config = ConfigDict(frozen=True, extra="allow")

    order_id: str
    run_id: str
    customer_id: str | None = None
    lines: tuple[OrderLine, ...] = ()
    received_at: datetime | None = None
    batch_id: str | None = None
    is_checked: bool = False
    begun_again: bool = False
    compensations: tuple[str, ...] | None = None
    first_action: int = 0
    approval_expires_at: datetime | None = None


class Notice(Payload):
    """Input of `notify_activity`: the status to record and publish."""

    order_id: str
    run_id: str
    status: OrderStatus
    reason: str | None = None
    detail: str | None = None
    total_cents: int | None = None
    received_at: datetime | None = None


class Recorded(Payload):
    """The result of recording a status.

    `superseded`: another run owns the order, so this one stops silently. `cancelled`: cancellation
    was requested.
    """

    superseded: bool = False
    cancelled: bool = False


class Undoing(Payload):
    """Input of every compensation: the order, and why it is rolled back."""

    order_id: str
    run_id: str
    reason: str


class Undone(Payload):
    """The input of the workflow that undoes an order whose own workflow was stopped.

    The order ends with `status` and `reason` if everything can be undone. A `retry`, counted from
    1, is for an order that has already ended: only the result of the retry is recorded.
    `compensations` names the activities to run, in the order of the steps. Inputs of earlier
    versions have `withdraws_task` and `only` instead.
    """

    order_id: str
    run_id: str
    status: OrderStatus
    reason: Reason
    total_cents: int | None
    received_at: datetime
    compensations: tuple[str, ...] | None = None
    undo_timeout_seconds: float = UNDO_TIMEOUT_SECONDS
    retry: int = 0
    withdraws_task: bool = False
    only: tuple[str, ...] | None = None


class Retried(Payload):
    """Input of `conclude_retry_activity`: the compensations that failed in the retry."""

    order_id: str
    retry: int
    not_undone: tuple[str, ...] = ()
