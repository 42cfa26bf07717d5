"""The steps of the order workflow and their payloads, each declared once.

The workflow, the registration of activities, the compensation of stopped and lost runs, the
timeline, the pages and the command line all read these declarations. Names of activities and
child workflows are stored in histories: never change one, add a new one.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, Literal

from orderflow_contracts.orders import OrderLine, OrderStatus, Reason
from orderflow_workflow_runtime.authoring.payload import Payload
from orderflow_workflow_runtime.authoring.policies import RETRY_FOR_A_DAY
from orderflow_workflow_runtime.instances import HistoryEvent
from orders import workflow_names as names
from orders.ordering.actions import Action, Step
from orders.ordering.messages import Recorded
from orders.tasks.messages import TaskOrder


class Verification(Payload):
    """Input of `verify_inventory_activity`: the lines to reserve."""

    order_id: str
    run_id: str
    lines: tuple[OrderLine, ...] = ()


class Verified(Recorded):
    """Its result: reserved at this total, or rejected for this reason."""

    outcome: Literal["reserved", "rejected"]
    total_cents: int | None = None
    reason: Reason | None = None
    detail: str | None = None


class ApprovalWanted(Payload):
    """Input of `request_approval_activity`, and of `remind_of_approval_activity` after it.

    `levels` people must approve before `expires_at`.
    """

    order_id: str
    run_id: str
    customer_id: str | None = None
    lines: tuple[OrderLine, ...] = ()
    total_cents: int
    expires_at: datetime
    levels: int = 1
    batch_id: str | None = None


class Confirmation(Payload):
    """Input of `confirm_decision_activity`: somebody said that approvals has a decision."""

    order_id: str
    run_id: str
    total_cents: int


class Confirmed(Recorded):
    """Its result: what approvals has on record; `open` if it has no decision."""

    outcome: Literal["approved", "denied", "open"]
    detail: str | None = None


class Charge(Payload):
    """Input of `process_payment_activity`."""

    order_id: str
    run_id: str
    customer_id: str | None = None
    amount_cents: int


class Charged(Recorded):
    """Its result: the payment was captured, declined, or given up before it was sent.

    `in_doubt`: a charge was sent, and the provider knows of none, but it may still arrive.
    """

    outcome: Literal["paid", "declined", "not_charged", "in_doubt"]
    detail: str | None = None


class Handover(Payload):
    """Input of `hand_to_warehouse_activity`: a task for an order, and the order's run and total."""

    order_id: str
    run_id: str
    total_cents: int
    task: TaskOrder


RELEASE: Final = Action(
    activity="release_inventory_activity", name="Release reservation", done="Reservation released"
)
WITHDRAW_APPROVAL: Final = Action(
    activity="withdraw_approval_activity",
    name="Withdraw approval request",
    done="Approval request withdrawn",
)
REFUND: Final = Action(
    activity="refund_payment_activity", name="Refund payment", done="Payment refunded"
)
WITHDRAW_TASK: Final = Action(
    activity="withdraw_task_activity",
    name="Withdraw warehouse task",
    done="Warehouse task withdrawn",
)

PUBLISH: Final = Step(
    activity="notify_activity",
    name="Publish status",
    done="Status published",
    retry=RETRY_FOR_A_DAY,
)
RESERVE: Final = Step(
    activity="verify_inventory_activity",
    name="Reserve stock",
    done="Stock reserved",
    refused="Stock not reserved",
    fails_as=Reason.INVENTORY_UNAVAILABLE,
    status=OrderStatus.RESERVED,
    compensation=RELEASE,
)
REQUEST_APPROVAL: Final = Step(
    activity="request_approval_activity",
    name="Request approval",
    done="Approval requested",
    fails_as=Reason.APPROVAL_UNAVAILABLE,
    status=OrderStatus.AWAITING_APPROVAL,
    compensation=WITHDRAW_APPROVAL,
)
REMIND: Final = Step(
    activity="remind_of_approval_activity",
    name="Send approval reminder",
    done="Approval reminder sent",
    is_awaited=False,
)
CONFIRM: Final = Step(
    activity="confirm_decision_activity",
    name="Read decision",
    done="Decision read",
    fails_as=Reason.APPROVAL_UNAVAILABLE,
    status=OrderStatus.APPROVED,
    retry=RETRY_FOR_A_DAY,
)
PAY: Final = Step(
    activity="process_payment_activity",
    name="Capture payment",
    done="Payment captured",
    refused="Payment declined",
    fails_as=Reason.PAYMENT_UNAVAILABLE,
    status=OrderStatus.PAID,
    compensation=REFUND,
)
HAND_OVER: Final = Step(
    activity="hand_to_warehouse_activity",
    name="Create warehouse task",
    done="Warehouse task created",
    fails_as=Reason.PICKING_UNAVAILABLE,
    compensation=WITHDRAW_TASK,
    switch="picking",
)
PICK: Final = Step(
    activity=names.TASK_PROCESSING,
    name="Pick items",
    done="Items picked",
    fails_as=Reason.PICKING_UNAVAILABLE,
    compensation=WITHDRAW_TASK,
    switch="picking",
    is_child=True,
)
SHIP: Final = Step(
    activity="update_inventory_activity",
    name="Ship stock",
    done="Stock shipped",
    fails_as=Reason.INVENTORY_UNAVAILABLE,
    compensation=RELEASE,
)

STEPS: Final = (
    *(PUBLISH, RESERVE, REQUEST_APPROVAL, REMIND, CONFIRM),
    *(PAY, HAND_OVER, PICK, SHIP),
)

COMPENSATIONS: Final = tuple(
    dict.fromkeys(step.compensation for step in STEPS if step.compensation is not None)
)
"""The compensations of all steps, in the order of the steps, each once."""

RECORD_RETRY: Final = Action(
    activity=names.CONCLUDE_RETRY, name="Record retry result", done="Retry result recorded"
)

ACTIONS: Final[Mapping[str, Action]] = {
    action.activity: action for action in (*STEPS, *COMPENSATIONS, RECORD_RETRY)
}
"""All actions in the histories of an order's workflows, by activity."""

ACTIVITIES: Final = (
    *(step.activity for step in STEPS if not step.is_child),
    *(compensation.activity for compensation in COMPENSATIONS),
)
"""The activities that the package registers."""


def steps_undone_by(compensation: str) -> frozenset[str]:
    """Return the activities and child workflows that this compensation undoes."""
    return frozenset(
        step.activity
        for step in STEPS
        if step.compensation is not None and step.compensation.activity == compensation
    )


def compensations(policy: Mapping[str, Any] | None) -> tuple[str, ...]:
    """Return the compensations that an order with this policy may need, in the order of the steps.

    If the policy is no longer known, the order may have taken every step; a compensation does no
    harm if there is nothing to undo.
    """
    return tuple(
        dict.fromkeys(
            step.compensation.activity
            for step in STEPS
            if step.compensation is not None
            and (policy is None or step.switch is None or policy.get(step.switch, "off") != "off")
        )
    )


def describe(event: HistoryEvent) -> HistoryEvent:
    """Add a description to an event of a history, if it belongs to a step or a compensation."""
    action = ACTIONS.get(event.name or "")
    if action is None:
        return event
    if event.is_success:
        words = action.outcome(event.output)
    elif event.is_failure:
        words = f"{action.name}: failed"
    elif event.is_call:
        words = f"{action.name}: started"
    else:
        return event
    return event.model_copy(update={"description": words})
