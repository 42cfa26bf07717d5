"""Events about approvals, and the request for approval as the API shows it."""

from enum import StrEnum
from typing import Annotated, Final, Literal

from pydantic import Field

from orderflow_contracts.fields import Cents, Message, Moment, Name, OrderId, Text
from orderflow_contracts.orders import Lines, OrderLine

Levels = Annotated[int, Field(strict=True, ge=1, le=2)]
"""How many different people must approve, one after the other: 1 or 2."""


class ApprovalRequested(Message):
    """Topic `approvals.requested`: an order waits for approval until `expires_at`.

    `levels` says how many people must approve. `reminder` marks a repetition of the same
    request while the order still waits.
    """

    order_id: OrderId
    customer_id: Name
    lines: Lines
    total_cents: Cents
    expires_at: Moment
    levels: Levels = 1
    reminder: bool = False


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
    """The status of a request for approval."""

    PENDING = "pending"
    APPROVED = "approved"
    DENIED = "denied"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"


class DecisionTaken(Message):
    """One person's decision about a request, and the level at which it was made."""

    level: Levels
    approved: bool
    approver: str
    comment: str
    decided_at: Moment


class Approval(Message):
    """A request for approval as the API of approvals shows it.

    `decisions` lists all that were made, `levels` is how many approvals are needed; `approver`,
    `comment` and `decided_at` are those of the decision that concluded the request.
    """

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
    levels: Levels = 1
    decisions: tuple[DecisionTaken, ...] = ()

    @property
    def approvals_missing(self) -> int:
        """How many more people must approve before the order continues."""
        return self.levels - len(self.decisions) if self.status is ApprovalStatus.PENDING else 0


MOST_AT_ONCE: Final = 200
"""The most requests for approval in one reply: with all their lines they fit into 4 MiB."""


class RequestsWanted(Message):
    """What orders asks of approvals: these requests, or all pending ones after an order's id."""

    order_ids: Annotated[tuple[OrderId, ...], Field(max_length=MOST_AT_ONCE)] | None = None
    after: OrderId | None = None
    limit: Annotated[int, Field(strict=True, ge=1, le=MOST_AT_ONCE)] = MOST_AT_ONCE


class Requests(Message):
    """The requests that approvals knows, and the id after which to continue, if there are more."""

    requests: tuple[Approval, ...] = ()
    next: OrderId | None = None


class RaiseRequest(Message):
    """What approvals asks of orders: to pass a decision on to the workflow that waits for it."""

    order_id: OrderId
    event_name: Literal["approval_decided"] = "approval_decided"
    data: Decision


class RaiseReply(Message):
    """`taken`: the workflow has the decision. `too_late`: the order ended before it arrived."""

    outcome: Literal["taken", "too_late"]
