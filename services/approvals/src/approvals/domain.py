"""The rules of approval: how requests, decisions and withdrawals affect one order. Pure.

These messages arrive in any sequence and any number of times. Whatever the sequence, the first
decision stands, and a decision that came too late is never shown as valid.

A request may need two approvals. The first one then leaves the request pending until a second
person decides. A single denial is always final.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, Literal

from orderflow_contracts.approvals import (
    Approval,
    ApprovalRequested,
    ApprovalStatus,
    ApprovalWithdrawn,
    Decision,
    DecisionTaken,
)
from orderflow_contracts.orders import Reason

Outcome = Literal["taken", "too_late"]

TOO_LATE: Final = "too_late"
"""The reason recorded if all that is known is that the decision arrived after the end."""


class RuleViolation(Exception):
    """A change that the rules of approval do not allow."""


class ConflictingRequest(RuleViolation):
    """A second request for the same order with different content."""


class AlreadyDecided(RuleViolation):
    """A decision that differs from the first one."""


class ApprovalExpired(RuleViolation):
    """A decision after the deadline of the request."""


class ApprovalNoLongerNeeded(RuleViolation):
    """A decision about an order that no longer needs one."""


@dataclass(frozen=True)
class FinalDecision:
    """The final decision, when it arrived, and the reply of orders at the handover."""

    decision: Decision
    decided_at: datetime
    handed_over_at: datetime | None = None
    outcome: Outcome | None = None

    def with_outcome(self, outcome: Outcome, now: datetime) -> "FinalDecision":
        """Return the decision after its handover, or when a handover is no longer needed."""
        return replace(self, outcome=outcome, handed_over_at=now)


@dataclass(frozen=True)
class FirstApproval:
    """The first of two approvals, and when it arrived."""

    decision: Decision
    decided_at: datetime


@dataclass(frozen=True)
class ReceivedRequest:
    """An approval request, and when it arrived."""

    request: ApprovalRequested
    requested_at: datetime


@dataclass(frozen=True)
class Ended:
    """Why the order no longer needs a decision, and when this service learned of it."""

    reason: str
    at: datetime


@dataclass(frozen=True)
class Case:
    """Everything known about the approval of one order; any part may arrive first.

    `final` is the final decision, or a decision that arrived before its request.
    """

    order_id: str
    received: ReceivedRequest | None = None
    final: FinalDecision | None = None
    ended: Ended | None = None
    first_approval: FirstApproval | None = None

    def status(self, now: datetime) -> ApprovalStatus | None:
        """Return the status, or None if no approval was requested."""
        if self.received is None:
            return None
        return self._conclusion() or (
            ApprovalStatus.EXPIRED if self._is_over(now) else ApprovalStatus.PENDING
        )

    def recorded_status(self) -> ApprovalStatus | None:
        """Return the status as stored, without regard to the time: `pending` may have expired."""
        return None if self.received is None else self._conclusion() or ApprovalStatus.PENDING

    def concluded_at(self) -> datetime | None:
        """Return when the approval ended, without regard to the current time; None if pending.

        An expired approval ended at its deadline, even if this service learned of it later.
        """
        if self.received is None:
            return None
        if self.ended is not None:
            expired = self._conclusion() is ApprovalStatus.EXPIRED
            return (
                min(self.ended.at, self.received.request.expires_at) if expired else self.ended.at
            )
        return self.final.decided_at if self.final is not None else None

    @property
    def is_escalated(self) -> bool:
        """Whether the first of two approvers has approved, and a second one must decide."""
        return self.first_approval is not None and self._conclusion() is None

    @property
    def undelivered(self) -> Decision | None:
        """The decision that must still be handed over to orders, if there is one."""
        if self.received is None or self.final is None or self.final.outcome is not None:
            return None
        return self.final.decision

    def add_request(self, request: ApprovalRequested, now: datetime) -> "Case":
        """Record the request; a repetition, such as a reminder, changes nothing.

        Raises `ConflictingRequest`.
        """
        if self.received is not None:
            return self._add_later_request(self.received, request)
        original = request.model_copy(update={"reminder": False})
        case = replace(self, received=ReceivedRequest(original, now))
        if self.final is None:
            return case
        if self.ended is None and self.final.decided_at >= request.expires_at:
            late = self._end(TOO_LATE, self.final.decided_at, now)
            case = replace(case, final=late.final, ended=late.ended)
        if request.levels > 1 and self.final.decision.approved:
            first = FirstApproval(self.final.decision, self.final.decided_at)
            return replace(case, final=None, first_approval=first)
        return case

    def decide(self, decision: Decision, now: datetime) -> "Case":
        """Record a decision; repeating it changes nothing.

        If two approvals are needed, the first leaves the request pending for a second person.
        Raises `AlreadyDecided`, `ApprovalExpired` or `ApprovalNoLongerNeeded`.
        """
        given = Decision.model_validate(decision.model_dump(include=set(Decision.model_fields)))
        if self._is_repetition(given):
            return self
        self.require_open(now)
        if self.final is not None:
            raise self._already_decided(self.final.decision)
        if self.first_approval is not None:
            if _same_person(self.first_approval.decision, given):
                raise self._already_decided(self.first_approval.decision)
        elif given.approved and self.received is not None and self.received.request.levels > 1:
            return replace(self, first_approval=FirstApproval(given, now))
        return replace(self, final=FinalDecision(given, now))

    def require_open(self, now: datetime) -> None:
        """Raise `ApprovalExpired` or `ApprovalNoLongerNeeded` if it is too late for a decision."""
        if self.ended is not None and self._conclusion() is not ApprovalStatus.EXPIRED:
            raise ApprovalNoLongerNeeded(
                f"order {self.order_id} no longer needs approval: {self.ended.reason}"
            )
        if self.ended is not None or self.status(now) is ApprovalStatus.EXPIRED:
            raise ApprovalExpired(f"the deadline for approving order {self.order_id} has passed")

    def withdraw(self, withdrawal: ApprovalWithdrawn, now: datetime) -> "Case":
        """Record that the order no longer needs a decision; one not yet handed over is too late.

        The first reason stands, unless it was only inferred from the outcome of the handover.
        """
        if self.ended is not None and self.ended.reason != TOO_LATE:
            return self
        return self._end(withdrawal.reason, now, now)

    def record_handover(self, outcome: Outcome, now: datetime) -> "Case":
        """Record the reply of orders at the handover of the decision."""
        if self.final is None or self.final.outcome is not None:
            return self
        if outcome == "too_late" and self.ended is None:
            return self._end(TOO_LATE, now, now)
        return replace(self, final=self.final.with_outcome(outcome, now))

    def describe(self, now: datetime) -> Approval | None:
        """Return the approval as published by the API, or None if none was requested."""
        status = self.status(now)
        if self.received is None or status is None:
            return None
        request, final = self.received.request, self.final
        return Approval(
            order_id=self.order_id,
            customer_id=request.customer_id,
            lines=request.lines,
            total_cents=request.total_cents,
            status=status,
            requested_at=self.received.requested_at,
            expires_at=request.expires_at,
            approver=final.decision.approver if final else None,
            comment=final.decision.comment if final else None,
            decided_at=final.decided_at if final else None,
            levels=request.levels,
            decisions=tuple(
                DecisionTaken(level=level, decided_at=each.decided_at, **each.decision.model_dump())
                for level, each in enumerate(self.decisions(), start=1)
            ),
        )

    def _add_later_request(self, first: ReceivedRequest, request: ApprovalRequested) -> "Case":
        """Record another request for the order.

        A later deadline means that the order's workflow was started again because the engine lost
        the first run, perhaps after it had received the decision. The new run waits until its own
        deadline, and an earlier decision is handed over again.
        """
        if _content(first.request) != _content(request):
            raise ConflictingRequest(
                f"order {self.order_id} was already requested with different content"
            )
        if request.expires_at <= first.request.expires_at or self.ended is not None:
            return self
        later = first.request.model_copy(update={"expires_at": request.expires_at})
        final = self.final
        if final is not None:
            final = replace(final, outcome=None, handed_over_at=None)
        return replace(self, received=replace(first, request=later), final=final)

    def decisions(self) -> list[FirstApproval | FinalDecision]:
        """Return all decisions, oldest first."""
        return [each for each in (self.first_approval, self.final) if each is not None]

    def _is_repetition(self, given: Decision) -> bool:
        """Return whether this decision was already recorded."""
        if self.final is not None and self.final.decision == given:
            return True
        first = self.first_approval
        return first is not None and given.approved and _same_person(first.decision, given)

    def _already_decided(self, decision: Decision) -> AlreadyDecided:
        earlier = "approved" if decision.approved else "denied"
        return AlreadyDecided(f"order {self.order_id} was already {earlier} by {decision.approver}")

    def _conclusion(self) -> ApprovalStatus | None:
        """Return the final status, or None if there is none yet."""
        if self.ended is not None:
            expired = self.ended.reason == Reason.APPROVAL_EXPIRED or (
                self.ended.reason == TOO_LATE and self._is_over(self.ended.at)
            )
            return ApprovalStatus.EXPIRED if expired else ApprovalStatus.WITHDRAWN
        if self.final is not None:
            approved = self.final.decision.approved
            return ApprovalStatus.APPROVED if approved else ApprovalStatus.DENIED
        return None

    def _is_over(self, moment: datetime) -> bool:
        return self.received is not None and moment >= self.received.request.expires_at

    def _end(self, reason: str, at: datetime, now: datetime) -> "Case":
        final = self.final
        if final is not None and final.outcome is None:
            final = final.with_outcome("too_late", now)
        return replace(self, ended=Ended(reason, at), final=final)


def _content(request: ApprovalRequested) -> tuple[object, ...]:
    lines = tuple(sorted((line.item, line.quantity) for line in request.lines))
    return request.customer_id, lines, request.total_cents, request.levels


def _same_person(one: Decision, other: Decision) -> bool:
    """Return whether two decisions have the same approver, ignoring case and blanks."""
    return one.approver.strip().casefold() == other.approver.strip().casefold()
