"""The page of statuses: those of orders, batches, approval requests and tasks, and the reasons."""

from collections.abc import Collection, Mapping
from enum import StrEnum
from typing import Final

from orderflow_contracts.approvals import ApprovalStatus
from orderflow_contracts.batches import BatchStatus
from orderflow_contracts.orders import FINAL_STATUSES, OrderStatus, Reason
from orderflow_contracts.tasks import OPEN_STATUSES, TaskStatus
from reference_pages.markdown import code, page, table

ORDER: Final = {
    "received": "accepted and stored; the workflow starts or has started",
    "reserved": "the stock of all lines is reserved",
    "awaiting_approval": "waits for an approver",
    "approved": "all required approvals were given",
    "paid": "the payment is captured",
    "completed": "the stock is shipped; nothing is left to do",
    "rejected": "refused by a rule or a person; nothing is reserved or charged",
    "cancelled": "stopped by a person; everything is compensated",
    "failed": "stopped by an error; everything is compensated",
    "needs_attention": "a compensation failed: a person must act",
}
REASONS: Final = {
    "invalid": ("rejected", "the submission is invalid; a valid one with the same ID may follow"),
    "unknown_item": ("rejected", "inventory does not know an item"),
    "out_of_stock": ("rejected", "not all lines are available"),
    "released": ("rejected", "the release arrived before the reservation"),
    "denied": ("rejected", "an approver denied the order"),
    "approval_expired": ("rejected", "nobody decided in time"),
    "payment_declined": ("rejected", "the payment provider declined the payment"),
    "cancelled_on_request": ("cancelled", "somebody cancelled the order"),
    "terminated_by_operator": ("cancelled", "an operator terminated its workflow"),
    "workflow_failed": ("failed", "the workflow itself failed"),
    "inventory_unavailable": ("failed", "inventory was unavailable for too long"),
    "approval_unavailable": ("failed", "requesting the approval failed for too long"),
    "payment_unavailable": ("failed", "the payment provider was unavailable for too long"),
    "undo_failed": ("needs_attention", "a compensation kept failing for too long"),
    "picking_timed_out": ("failed", "nobody picked the order in time"),
    "picking_unavailable": ("failed", "no picking task could be created"),
    "id_taken": ("rejected", "the ID belongs to a workflow instance that is not an order"),
}
BATCH: Final = {
    "received": "stored; its workflow is starting",
    "running": "orders are in progress",
    "completed": "every order has its final status",
    "rejected": "no entry was a valid order",
}
APPROVAL: Final = {
    "pending": "waits for a decision",
    "approved": "approved by as many people as required",
    "denied": "denied by one person",
    "expired": "nobody decided in time",
    "withdrawn": "the order ended before the decision",
}
TASK: Final = {
    "received": "stored; not assigned yet",
    "assigned": "waits for its assignee",
    "completed": "done",
    "timed_out": "not done in time",
    "rejected": "the input was invalid",
    "withdrawn": "no longer needed",
    "failed": "could not be assigned",
}


def statuses_page() -> str:
    """Write the page; raises LookupError where a status or a reason has no meaning above."""
    return page(
        "Statuses and reasons",
        "## Orders",
        "An order has exactly one final status. `rejected` with the reason `invalid` or `id_taken`"
        " ends a submission, not the order.",
        _statuses(OrderStatus, ORDER, FINAL_STATUSES),
        "## Reasons of an order",
        _reasons(),
        "## Batches",
        _statuses(BatchStatus, BATCH, {each for each in BatchStatus if each.is_final}),
        "## Approval requests",
        _statuses(ApprovalStatus, APPROVAL, set(ApprovalStatus) - {ApprovalStatus.PENDING}),
        "## Tasks",
        _statuses(TaskStatus, TASK, set(TaskStatus) - OPEN_STATUSES),
    )


def _statuses(kind: type[StrEnum], meanings: Mapping[str, str], final: Collection[StrEnum]) -> str:
    _require(kind, meanings)
    rows = ((code(each), "yes" if each in final else "no", meanings[each]) for each in kind)
    return table(("Status", "Final", "Meaning"), rows)


def _reasons() -> str:
    _require(Reason, REASONS)
    rows = ((code(each), code(REASONS[each][0]), REASONS[each][1]) for each in Reason)
    return table(("Reason", "Status", "Meaning"), rows)


def _require(kind: type[StrEnum], meanings: Mapping[str, object]) -> None:
    if different := set(kind) ^ set(meanings):
        raise LookupError(f"{kind.__name__} and {__name__} differ in {sorted(different)}")
