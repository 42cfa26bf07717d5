"""What the doctor finds: records, engine, stock, payments, approvals and events that disagree."""

from dataclasses import dataclass
from typing import Final

from pydantic import BaseModel


class Finding(BaseModel):
    """One disagreement: what it is about, its kind, what was seen, and what helps."""

    about: str
    kind: str
    detail: str
    remedy: str


class Diagnosis(BaseModel):
    """Whether everything agrees, and what does not; a long list is cut off."""

    agrees: bool
    findings: tuple[Finding, ...] = ()


class Treatment(BaseModel):
    """What was healed, and what is left; it agrees once nothing is left."""

    agrees: bool
    healed: tuple[Finding, ...] = ()
    left: tuple[Finding, ...] = ()


@dataclass(frozen=True)
class Kind:
    """A kind of disagreement: what it means and what helps.

    `is_healed`: the service heals it by itself within a minute, where that is safe.
    """

    name: str
    meaning: str
    remedy: str
    is_healed: bool = False


_BY_ITSELF: Final = "It is healed within a minute; `orderflow doctor --fix` does it now."

LOST_INSTANCE: Final = Kind(
    "lost_instance",
    "An order, a batch or a retry has not ended, but no workflow is working on it.",
    _BY_ITSELF,
    is_healed=True,
)
DAMAGED_HISTORY: Final = Kind(
    "damaged_history",
    "The engine cannot load the workflow of an order, or cannot go on with it.",
    "It is replaced within a minute. `GET /workflows/{id}/saved-histories` shows what it was.",
    is_healed=True,
)
LOST_TIMER: Final = Kind(
    "lost_timer",
    "A workflow seems to wait for a timer or an activity that the engine has lost.",
    "It is replaced once that is certain. If it persists, look at the scheduler and the sidecar of "
    "orders.",
    is_healed=True,
)
UNKNOWN_INSTANCE: Final = Kind(
    "unknown_instance",
    "The engine has a workflow of an order or a batch that orders did not start.",
    "It is terminated if it is still running, and has no effects. Purge it once it has finished: "
    "`orderflow workflows purge ID`.",
    is_healed=True,
)
RESERVED_WITHOUT_ORDER: Final = Kind(
    "reserved_without_order",
    "Stock is reserved for an order that is not on record.",
    _BY_ITSELF,
    is_healed=True,
)
RESERVED_AFTER_END: Final = Kind(
    "reserved_after_end",
    "Stock is still reserved for an order that has ended.",
    f"{_BY_ITSELF} Only the stock of a completed order is left to you: compare it by hand.",
    is_healed=True,
)
STOCK_DIFFERS: Final = Kind(
    "stock_differs",
    "An item's reserved quantity is not the sum of its open reservations.",
    "Compare the item with its reservations in inventory's store, and correct it by hand.",
)
CHARGED_WITHOUT_ORDER: Final = Kind(
    "charged_without_order",
    "A customer was charged, and not refunded, for an order that ended without being completed.",
    _BY_ITSELF,
    is_healed=True,
)
APPROVAL_OUTLIVED: Final = Kind(
    "approval_outlived",
    "A request for approval is pending, but its order no longer waits for it.",
    f"The request is withdrawn. {_BY_ITSELF}",
    is_healed=True,
)
APPROVAL_MISSING: Final = Kind(
    "approval_missing",
    "An order waits for approval, but approvals has no pending request for it.",
    f"The request is published again. {_BY_ITSELF}",
    is_healed=True,
)
DECISION_NOT_TAKEN: Final = Kind(
    "decision_not_taken",
    "Approvals has recorded a decision half a minute ago, and its order still waits.",
    f"The order's workflow is woken again. {_BY_ITSELF}",
    is_healed=True,
)
DECISION_NOT_DELIVERED: Final = Kind(
    "decision_not_delivered",
    "Approvals recorded a decision over a minute ago, and orders has not accepted it.",
    "It is delivered until orders accepts it: check that orders and its sidecar are running.",
)
TASK_WITHOUT_WORKFLOW: Final = Kind(
    "task_without_workflow",
    "A task is open, but its workflow is gone or has finished.",
    f"The task ends as failed, or is withdrawn if its order has ended. {_BY_ITSELF}",
    is_healed=True,
)
TASK_MISSING: Final = Kind(
    "task_missing",
    "The workflow of an order's task is running, but there is no such task.",
    "Look at the workflow: `orderflow workflows status ID`. Cancel the order to end the wait.",
)
UNPUBLISHED_MESSAGES: Final = Kind(
    "unpublished_messages",
    "A message has been waiting in the outbox for more than a minute.",
    "It is published as soon as the broker accepts it: check the broker and the sidecar.",
)
UNHANDLED_EVENTS: Final = Kind(
    "unhandled_events",
    "Events do not come through, or one has failed for more than a minute.",
    "It is tried again: read its error with `orderflow dead-letters parked`, and check the "
    "broker and the sidecar.",
)
COMPENSATION_OUTSTANDING: Final = Kind(
    "compensation_outstanding",
    "An order was cancelled over a minute ago, and is not rolled back yet.",
    "The rollback is retried: check what it waits for, inventory or the payment provider.",
)
COMPENSATION_FAILED: Final = Kind(
    "compensation_failed",
    "A cancelled order could not be rolled back.",
    "Fix the cause, then retry the rollback: `POST /orders/{id}/retry`, or `orderflow retry ID`.",
)
NEEDS_ATTENTION: Final = Kind(
    "needs_attention",
    "An order could not be rolled back, and nobody has settled it.",
    "Fix the cause, then retry the rollback: `POST /orders/{id}/retry`, or `orderflow retry ID`.",
)
NOT_COMPARED: Final = Kind(
    "not_compared",
    "Something could not be compared, because what it needs does not answer.",
    "Check the services and their sidecars, then ask again.",
)

KINDS: Final = {
    kind.name: kind
    for kind in (
        LOST_INSTANCE,
        DAMAGED_HISTORY,
        LOST_TIMER,
        UNKNOWN_INSTANCE,
        RESERVED_WITHOUT_ORDER,
        RESERVED_AFTER_END,
        STOCK_DIFFERS,
        CHARGED_WITHOUT_ORDER,
        APPROVAL_OUTLIVED,
        APPROVAL_MISSING,
        DECISION_NOT_TAKEN,
        DECISION_NOT_DELIVERED,
        TASK_WITHOUT_WORKFLOW,
        TASK_MISSING,
        UNPUBLISHED_MESSAGES,
        UNHANDLED_EVENTS,
        COMPENSATION_OUTSTANDING,
        COMPENSATION_FAILED,
        NEEDS_ATTENTION,
        NOT_COMPARED,
    )
}
"""Every kind by its name, which never changes."""
