"""An approval as a page presents it to one reader. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from approvals.domain import TOO_LATE, Case, FinalDecision, FirstApproval
from orderflow_contracts.approvals import ApprovalRequested, ApprovalStatus

URGENT_SECONDS: Final = 3600


@dataclass(frozen=True)
class Reader:
    """The reader's name, and whether the reader may decide."""

    name: str
    may_decide: bool


@dataclass(frozen=True)
class View:
    """An approval as one reader sees it at one moment."""

    case: Case
    request: ApprovalRequested
    status: ApprovalStatus
    now: datetime
    reader: Reader
    is_large: bool

    @property
    def order_id(self) -> str:
        """The ID of the order."""
        return self.case.order_id

    @property
    def is_pending(self) -> bool:
        """Whether a decision is still needed."""
        return self.status is ApprovalStatus.PENDING

    @property
    def seconds_left(self) -> float:
        """The time left until the deadline."""
        return max((self.request.expires_at - self.now).total_seconds(), 0.0)

    @property
    def is_urgent(self) -> bool:
        """Whether it is pending and close to its deadline."""
        return self.is_pending and self.seconds_left < URGENT_SECONDS

    @property
    def is_first_approver(self) -> bool:
        """Whether the reader gave the first approval, so that another person must decide."""
        first = self.case.first_approval
        return self.is_pending and first is not None and _is_by(first, self.reader.name)

    @property
    def can_decide(self) -> bool:
        """Whether the reader can decide now."""
        return self.is_pending and self.reader.may_decide and not self.is_first_approver

    @property
    def decisions(self) -> Sequence[FirstApproval | FinalDecision]:
        """All decisions, oldest first."""
        return self.case.decisions()

    @property
    def concluded_at(self) -> datetime | None:
        """When the approval ended, if it has."""
        return self.case.concluded_at() or (None if self.is_pending else self.request.expires_at)

    @property
    def approvers(self) -> str:
        """The names of those who decided."""
        return " and ".join(each.decision.approver for each in self.decisions)

    @property
    def comments(self) -> str:
        """The comments of those who decided."""
        return "\n".join(each.decision.comment for each in self.decisions if each.decision.comment)

    @property
    def has_late_decision(self) -> bool:
        """Whether there is a decision that came too late."""
        return self.case.ended is not None and self.case.final is not None

    @property
    def conclusion(self) -> str:
        """The status as a sentence."""
        match self.status:
            case ApprovalStatus.APPROVED:
                return f"Approved by {self.approvers}."
            case ApprovalStatus.DENIED:
                final = self.case.final
                return f"Denied by {final.decision.approver}." if final else "Denied."
            case ApprovalStatus.EXPIRED:
                return f"Expired before a decision was made.{self._late_note()}"
            case ApprovalStatus.WITHDRAWN:
                return f"Withdrawn: {self.reason}.{self._late_note()}"
            case _:
                return "Waiting for a decision."

    @property
    def reason(self) -> str:
        """Why the order no longer needs approval."""
        reason = self.case.ended.reason if self.case.ended else ""
        return "the order had already ended" if reason == TOO_LATE else reason.replace("_", " ")

    @property
    def own_outcome(self) -> str:
        """The result of the reader's own decision, as a sentence."""
        own = [each for each in self.decisions if _is_by(each, self.reader.name)]
        if not own or self.status in (ApprovalStatus.EXPIRED, ApprovalStatus.WITHDRAWN):
            return self.conclusion
        if self.is_first_approver:
            return "Your approval is recorded. A second approver is needed."
        return "You approved it." if own[-1].decision.approved else "You denied it."

    def _late_note(self) -> str:
        final = self.case.final
        if not self.has_late_decision or final is None:
            return ""
        return f" The decision of {final.decision.approver} came too late."


def view_of(case: Case, now: datetime, reader: Reader, confirm_from_cents: int) -> View | None:
    """Return a case as a reader sees it, or None if no approval was requested."""
    status = case.status(now)
    if case.received is None or status is None:
        return None
    request = case.received.request
    is_large = request.total_cents >= confirm_from_cents
    return View(case, request, status, now, reader, is_large)


def _is_by(decided: FirstApproval | FinalDecision, name: str) -> bool:
    return decided.decision.approver.strip().casefold() == name.strip().casefold()
