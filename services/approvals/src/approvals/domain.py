"""The rules of approval: what requests, decisions and withdrawals do to one order. Pure.

The three reach this service in any order and any number of times. Whatever the order, the first
decision stands, and a decision that came too late never reads as if it had counted.

A request may want two approvals. The first is then kept as an endorsement, and the request goes on
waiting for somebody else's decision; a denial concludes at any level.
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
"""Why a request ended of which it is only known that its decision came after the end."""


class RefusedByRule(Exception):
    """Something that the rules of approval will never allow."""


class OtherRequest(RefusedByRule):
    """A second request for the same order with other content."""


class DecisionStands(RefusedByRule):
    """Another decision than the first."""


class ApprovalExpired(RefusedByRule):
    """A decision after the request's time was over."""


class ApprovalNotWanted(RefusedByRule):
    """A decision about an order that no longer waits for one."""


@dataclass(frozen=True)
class Made:
    """A decision, when it reached this service, and what orders answered when it was told."""

    decision: Decision
    decided_at: datetime
    handed_over_at: datetime | None = None
    outcome: Outcome | None = None

    def answered(self, outcome: Outcome, now: datetime) -> "Made":
        """Return the same decision after orders was told, or need not be told any more."""
        return replace(self, outcome=outcome, handed_over_at=now)


@dataclass(frozen=True)
class Endorsed:
    """The first approval of a request that wants another one, and when it reached this service."""

    decision: Decision
    decided_at: datetime


@dataclass(frozen=True)
class Asked:
    """A request for approval and when it reached this service."""

    request: ApprovalRequested
    requested_at: datetime


@dataclass(frozen=True)
class Ended:
    """The order no longer waits for a decision: why, and when this service learned of it."""

    reason: str
    at: datetime


@dataclass(frozen=True)
class Case:
    """All that is known about the approval of one order; each part may come first.

    `made` is the decision that concludes, or one that came before its request.
    """

    order_id: str
    asked: Asked | None = None
    made: Made | None = None
    ended: Ended | None = None
    endorsed: Endorsed | None = None

    def status(self, now: datetime) -> ApprovalStatus | None:
        """Where the approval is, or None while nobody has asked for one."""
        if self.asked is None:
            return None
        return self._conclusion() or (
            ApprovalStatus.EXPIRED if self._is_over(now) else ApprovalStatus.PENDING
        )

    def recorded_status(self) -> ApprovalStatus | None:
        """Tell the status as it is without a clock: a pending one may have expired meanwhile."""
        return None if self.asked is None else self._conclusion() or ApprovalStatus.PENDING

    def concluded_at(self) -> datetime | None:
        """When the approval ended, as it is without a clock: None while it is pending.

        What expired did so at its deadline, however late this service was told.
        """
        if self.asked is None:
            return None
        if self.ended is not None:
            expired = self._conclusion() is ApprovalStatus.EXPIRED
            return min(self.ended.at, self.asked.request.expires_at) if expired else self.ended.at
        return self.made.decided_at if self.made is not None else None

    @property
    def is_escalated(self) -> bool:
        """Whether one person has approved, and a second one must decide."""
        return self.endorsed is not None and self._conclusion() is None

    @property
    def undelivered(self) -> Decision | None:
        """The decision that orders has still to be told, if there is one."""
        if self.asked is None or self.made is None or self.made.outcome is not None:
            return None
        return self.made.decision

    def ask(self, request: ApprovalRequested, now: datetime) -> "Case":
        """Take in the request; the same again, as a reminder is, changes nothing.

        Raises `OtherRequest`.
        """
        if self.asked is not None:
            return self._ask_again(self.asked, request)
        first = request.model_copy(update={"reminder": False})
        asked = replace(self, asked=Asked(first, now))
        if self.made is None:
            return asked
        if self.ended is None and self.made.decided_at >= request.expires_at:
            late = self._end(TOO_LATE, self.made.decided_at, now)
            asked = replace(asked, made=late.made, ended=late.ended)
        if request.levels > 1 and self.made.decision.approved:
            endorsed = Endorsed(self.made.decision, self.made.decided_at)
            return replace(asked, made=None, endorsed=endorsed)
        return asked

    def decide(self, decision: Decision, now: datetime) -> "Case":
        """Take in a decision; the same again changes nothing.

        Where two must approve, the first approval leaves the request open for another person.
        Raises `DecisionStands`, `ApprovalExpired` or `ApprovalNotWanted`.
        """
        given = Decision.model_validate(decision.model_dump(include=set(Decision.model_fields)))
        if self._has(given):
            return self
        self.must_be_wanted(now)
        if self.made is not None:
            raise self._stands(self.made.decision)
        if self.endorsed is not None:
            if _same_person(self.endorsed.decision, given):
                raise self._stands(self.endorsed.decision)
        elif given.approved and self.asked is not None and self.asked.request.levels > 1:
            return replace(self, endorsed=Endorsed(given, now))
        return replace(self, made=Made(given, now))

    def must_be_wanted(self, now: datetime) -> None:
        """Raise `ApprovalExpired` or `ApprovalNotWanted` if no decision can count any more."""
        if self.ended is not None and self._conclusion() is not ApprovalStatus.EXPIRED:
            raise ApprovalNotWanted(
                f"order {self.order_id} no longer waits for approval: {self.ended.reason}"
            )
        if self.ended is not None or self.status(now) is ApprovalStatus.EXPIRED:
            raise ApprovalExpired(f"the time for approving order {self.order_id} is over")

    def withdraw(self, withdrawal: ApprovalWithdrawn, now: datetime) -> "Case":
        """Take in that the order no longer waits; a decision that was made came too late then.

        The first reason stands, unless it was only gathered from orders' answer to a decision.
        """
        if self.ended is not None and self.ended.reason != TOO_LATE:
            return self
        return self._end(withdrawal.reason, now, now)

    def handed_over(self, outcome: Outcome, now: datetime) -> "Case":
        """Take in what orders answered when it was told the decision."""
        if self.made is None or self.made.outcome is not None:
            return self
        if outcome == "too_late" and self.ended is None:
            return self._end(TOO_LATE, now, now)
        return replace(self, made=self.made.answered(outcome, now))

    def describe(self, now: datetime) -> Approval | None:
        """Write the approval as people read it, or None while nobody has asked for one."""
        status = self.status(now)
        if self.asked is None or status is None:
            return None
        request, made = self.asked.request, self.made
        return Approval(
            order_id=self.order_id,
            customer_id=request.customer_id,
            lines=request.lines,
            total_cents=request.total_cents,
            status=status,
            requested_at=self.asked.requested_at,
            expires_at=request.expires_at,
            approver=made.decision.approver if made else None,
            comment=made.decision.comment if made else None,
            decided_at=made.decided_at if made else None,
            levels=request.levels,
            decisions=tuple(
                DecisionTaken(
                    level=level, decided_at=taken.decided_at, **taken.decision.model_dump()
                )
                for level, taken in enumerate(self.taken(), start=1)
            ),
        )

    def _ask_again(self, asked: Asked, request: ApprovalRequested) -> "Case":
        """Take in a request after the first one.

        One with a later deadline comes from another run of the order: the engine had lost the
        first, perhaps with the decision in it. The new run waits until its own deadline, and is
        told a decision that the lost one had taken.
        """
        if _content(asked.request) != _content(request):
            raise OtherRequest(f"order {self.order_id} was requested with other content before")
        if request.expires_at <= asked.request.expires_at or self.ended is not None:
            return self
        later = asked.request.model_copy(update={"expires_at": request.expires_at})
        made = self.made
        if made is not None:
            made = replace(made, outcome=None, handed_over_at=None)
        return replace(self, asked=replace(asked, request=later), made=made)

    def taken(self) -> list[Endorsed | Made]:
        """All decisions that were taken, the first one first."""
        return [taken for taken in (self.endorsed, self.made) if taken is not None]

    def _has(self, given: Decision) -> bool:
        """Tell whether this very decision was taken in before."""
        if self.made is not None and self.made.decision == given:
            return True
        endorsed = self.endorsed
        return endorsed is not None and given.approved and _same_person(endorsed.decision, given)

    def _stands(self, decision: Decision) -> DecisionStands:
        earlier = "approved" if decision.approved else "denied"
        return DecisionStands(f"order {self.order_id} was {earlier} by {decision.approver} before")

    def _conclusion(self) -> ApprovalStatus | None:
        """How the approval ended, or None while it has not."""
        if self.ended is not None:
            expired = self.ended.reason == Reason.APPROVAL_EXPIRED or (
                self.ended.reason == TOO_LATE and self._is_over(self.ended.at)
            )
            return ApprovalStatus.EXPIRED if expired else ApprovalStatus.WITHDRAWN
        if self.made is not None:
            approved = self.made.decision.approved
            return ApprovalStatus.APPROVED if approved else ApprovalStatus.DENIED
        return None

    def _is_over(self, moment: datetime) -> bool:
        return self.asked is not None and moment >= self.asked.request.expires_at

    def _end(self, reason: str, at: datetime, now: datetime) -> "Case":
        made = self.made
        if made is not None and made.outcome is None:
            made = made.answered("too_late", now)
        return replace(self, ended=Ended(reason, at), made=made)


def _content(request: ApprovalRequested) -> tuple[object, ...]:
    lines = tuple(sorted((line.item, line.quantity) for line in request.lines))
    return request.customer_id, lines, request.total_cents, request.levels


def _same_person(one: Decision, other: Decision) -> bool:
    """Tell whether two decisions are one person's, however the name is written."""
    return one.approver.strip().casefold() == other.approver.strip().casefold()
