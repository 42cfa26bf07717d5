"""Events about approvals, and how a request for approval reads."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from orderflow_contracts.fields import Cents, Message, Moment, Name, OrderId, Text
from orderflow_contracts.orders import Lines, OrderLine


class ApprovalRequested(Message):
    """Topic `approvals.requested`: an order waits for a person until `expires_at`."""

    order_id: OrderId
    customer_id: Name
    lines: Lines
    total_cents: Cents
    expires_at: Moment


class Decision(Message):
    """What a person decided; the body of `POST /approvals/{order_id}/decision`."""

    approved: Annotated[bool, Field(strict=True)]
    approver: Name
    comment: Text = ""


class DecisionMade(Decision):
    """Topic `approvals.decisions`: a decision that names its order."""

    order_id: OrderId


class ApprovalWithdrawn(Message):
    """Topic `approvals.withdrawn`: the order no longer waits, for this reason."""

    order_id: OrderId
    reason: Text


class ApprovalStatus(StrEnum):
    """Where a request for approval is."""

    PENDING = "pending"
    APPROVED = "approved"
    DENIED = "denied"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"


class Approval(Message):
    """A request for approval as approvals answers it over HTTP."""

    order_id: OrderId
    customer_id: str
    lines: tuple[OrderLine, ...]
    total_cents: Cents
    status: ApprovalStatus
    requested_at: Moment
    expires_at: Moment
    approver: str | None = None
    comment: str | None = None
    decided_at: Moment | None = None


class RaiseRequest(Message):
    """What approvals asks of orders: hand this decision to the workflow that waits for it."""

    order_id: OrderId
    event_name: Literal["approval_decided"] = "approval_decided"
    data: Decision


class RaiseReply(Message):
    """`taken`: the workflow has it. `too_late`: the order has ended without it."""

    outcome: Literal["taken", "too_late"]
