"""What the use cases of approval need from outside: storage, a clock, and delivery to orders."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from approvals.domain import Case
from orderflow_contracts.approvals import ApprovalStatus, Decision

Change = Callable[[Case], Case]
"""A rule applied to a case. It may run twice, and raises if nothing may be written."""


@dataclass(frozen=True)
class ListPosition:
    """A position in the list of approvals, which is sorted by deadline and order."""

    expires_at: datetime
    order_id: str


@dataclass(frozen=True)
class Version:
    """Identifies the state of all approvals at a moment; every visible change gives a new version.

    `change` counts all changes written; `deadline` is when the next pending approval expires.
    """

    change: int
    deadline: datetime | None

    def __str__(self) -> str:
        """Format it as one word, for use in a URL."""
        due = "" if self.deadline is None else format(self.deadline, "%Y%m%dT%H%M%S.%f")
        return f"{self.change}-{due}"


@dataclass(frozen=True)
class AuditedDecision:
    """A decision for the audit trail, and how its approver was authenticated."""

    decision: Decision
    via: str


class DecisionSender(Protocol):
    """Delivers decisions to orders."""

    def send(self, order_id: str) -> None:
        """Start delivering the decision about an order, unless that is already in progress."""
        ...


class ApprovalStore(Protocol):
    """Storage of approvals. Every call may raise `orderflow_hosting.problems.Unavailable`."""

    async def change(
        self, order_id: str, change: Change, audited: AuditedDecision | None = None
    ) -> tuple[Case, Case]:
        """Apply a rule to an order's case in a transaction; return the case before and after.

        If the case changes, `audited` is written to the audit trail in the same transaction.
        """
        ...

    async def find(self, order_id: str) -> Case:
        """Return the case of an order; empty if no message about it has arrived."""
        ...

    async def find_all(self, order_ids: Sequence[str]) -> Sequence[Case]:
        """Return the cases of several orders, without those about which no message has arrived."""
        ...

    async def pending(self, now: datetime, limit: int, after: str | None) -> Sequence[Case]:
        """Return pending approvals by order id."""
        ...

    async def undelivered(self) -> Sequence[str]:
        """Return the orders whose decision has not been handed over yet."""
        ...

    async def list(
        self, status: ApprovalStatus | None, now: datetime, limit: int, after: ListPosition | None
    ) -> Sequence[Case]:
        """List requests: pending ones by earliest deadline, all others by latest deadline."""
        ...


class VersionedApprovals(Protocol):
    """Approvals whose version can be watched for changes."""

    async def version(self, now: datetime) -> Version:
        """Return the current version. Raises `Unavailable`."""
        ...
