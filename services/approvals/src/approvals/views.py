"""What a page says about one approval to one person. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from approvals.domain import TOO_LATE, Case, Endorsed, Made
from orderflow_contracts.approvals import ApprovalRequested, ApprovalStatus

URGENT_SECONDS: Final = 3600
MOST_LINES: Final = 6
"""How many lines of an order a card shows; its own page shows all."""


@dataclass(frozen=True)
class Reader:
    """Who reads: a name, and whether they may decide."""

    name: str
    decides: bool


@dataclass(frozen=True)
class View:
    """One approval as one person sees it at one moment."""

    case: Case
    request: ApprovalRequested
    status: ApprovalStatus
    now: datetime
    reader: Reader
    is_large: bool

    @property
    def order_id(self) -> str:
        """The order that the approval is about."""
        return self.case.order_id

    @property
    def is_pending(self) -> bool:
        """Whether somebody has still to decide."""
        return self.status is ApprovalStatus.PENDING

    @property
    def seconds_left(self) -> float:
        """How long there is to decide."""
        return max((self.request.expires_at - self.now).total_seconds(), 0.0)

    @property
    def is_urgent(self) -> bool:
        """Whether there is little time left."""
        return self.is_pending and self.seconds_left < URGENT_SECONDS

    @property
    def has_endorsed(self) -> bool:
        """Whether the reader is the one who has approved, so that somebody else must decide."""
        endorsed = self.case.endorsed
        return self.is_pending and endorsed is not None and _is(endorsed, self.reader.name)

    @property
    def can_decide(self) -> bool:
        """Whether the reader can decide now."""
        return self.is_pending and self.reader.decides and not self.has_endorsed

    @property
    def taken(self) -> Sequence[Endorsed | Made]:
        """All decisions that were taken, the first one first."""
        return self.case.taken()

    @property
    def concluded_at(self) -> datetime | None:
        """When it ended, if it has."""
        return self.case.concluded_at() or (None if self.is_pending else self.request.expires_at)

    @property
    def who(self) -> str:
        """Whose decisions were taken."""
        return " and ".join(taken.decision.approver for taken in self.taken)

    @property
    def comments(self) -> str:
        """What those who decided had to say."""
        return "\n".join(taken.decision.comment for taken in self.taken if taken.decision.comment)

    @property
    def is_late(self) -> bool:
        """Whether there is a decision that did not count."""
        return self.case.ended is not None and self.case.made is not None

    @property
    def verdict(self) -> str:
        """How it ended, in a sentence."""
        match self.status:
            case ApprovalStatus.APPROVED:
                return f"{self.who} approved it."
            case ApprovalStatus.DENIED:
                made = self.case.made
                return f"{made.decision.approver if made else 'Somebody'} denied it."
            case ApprovalStatus.EXPIRED:
                return f"Its time was over before it was decided.{self._too_late()}"
            case ApprovalStatus.WITHDRAWN:
                return f"The order no longer waits for approval: {self.why}.{self._too_late()}"
            case _:
                return "It waits for a decision."

    @property
    def why(self) -> str:
        """Why the order no longer waits, in words."""
        reason = self.case.ended.reason if self.case.ended else ""
        return "it had ended already" if reason == TOO_LATE else reason.replace("_", " ")

    @property
    def told(self) -> str:
        """What came of the reader's own decision, in a sentence."""
        mine = [taken for taken in self.taken if _is(taken, self.reader.name)]
        if not mine or self.status in (ApprovalStatus.EXPIRED, ApprovalStatus.WITHDRAWN):
            return self.verdict
        if self.has_endorsed:
            return "Your approval is kept. A second person must approve before the order goes on."
        return "You approved it." if mine[-1].decision.approved else "You denied it."

    def _too_late(self) -> str:
        made = self.case.made
        return f" {made.decision.approver} decided too late." if self.is_late and made else ""


def view_of(case: Case, now: datetime, reader: Reader, confirm_from_cents: int) -> View | None:
    """Show a case to somebody; None while nobody has asked for an approval."""
    status = case.status(now)
    if case.asked is None or status is None:
        return None
    request = case.asked.request
    is_large = request.total_cents >= confirm_from_cents
    return View(case, request, status, now, reader, is_large)


def _is(taken: Endorsed | Made, name: str) -> bool:
    return taken.decision.approver.strip().casefold() == name.strip().casefold()
