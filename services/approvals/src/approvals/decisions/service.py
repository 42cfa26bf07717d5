"""The use cases of approval: record requests, decisions and withdrawals; read approvals."""

from collections.abc import Callable, Sequence
from datetime import datetime

import structlog

from approvals.decisions.ports import (
    ApprovalStore,
    AuditedDecision,
    DecisionSender,
    ListPosition,
)
from approvals.domain import Case
from orderflow_contracts.approvals import (
    Approval,
    ApprovalRequested,
    ApprovalStatus,
    ApprovalWithdrawn,
    Decision,
    DecisionMade,
    Requests,
    RequestsWanted,
)
from orderflow_contracts.fields import Clock, now

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class UnknownApproval(Exception):
    """No approval was requested for this order."""


class ApprovalService:
    """Approval requests and the decisions about them; each call is safe to repeat.

    A call returns once its change is committed. If a rule forbids the change, nothing is changed
    and the rule's error is raised (`approvals.domain.RuleViolation`).
    """

    def __init__(self, store: ApprovalStore, sender: DecisionSender, clock: Clock = now) -> None:
        self._store = store
        self._sender = sender
        self._clock = clock

    async def add_request(self, request: ApprovalRequested) -> Case:
        """Record an approval request; return what is known about the order."""
        moment = self._clock()
        _, case = await self._change(
            "approval_requested",
            request.order_id,
            lambda case: case.add_request(request, moment),
            unchanged_event="approval_reminded" if request.reminder else "duplicate_message",
        )
        self._send(case)
        return case

    async def decide(self, decision: DecisionMade) -> Case:
        """Record a decision, even if its request has not arrived yet.

        Returns what is known about the order.
        """
        moment = self._clock()
        _, case = await self._change(
            "approval_decided",
            decision.order_id,
            lambda case: case.decide(decision, moment),
            audited=AuditedDecision(decision, via="topic"),
        )
        self._send(case)
        return case

    async def decide_existing(
        self, order_id: str, decision: Decision, via: str = "open"
    ) -> Approval:
        """Record a decision about an existing request. Raises `UnknownApproval`.

        `via` is how the approver was authenticated, for the audit trail.
        """
        moment = self._clock()

        def apply(case: Case) -> Case:
            if case.received is None:
                raise UnknownApproval(f"no approval was requested for order {order_id}")
            decided = case.decide(decision, moment)
            decided.require_open(moment)  # a repeated decision may originally have been too late
            return decided

        _, case = await self._change(
            "approval_decided", order_id, apply, audited=AuditedDecision(decision, via)
        )
        self._send(case)
        return _described(case, moment)

    async def withdraw(self, withdrawal: ApprovalWithdrawn) -> Case:
        """Record that an order no longer needs a decision; return what is known about it."""
        moment = self._clock()
        _, case = await self._change(
            "approval_withdrawn",
            withdrawal.order_id,
            lambda case: case.withdraw(withdrawal, moment),
            reason=withdrawal.reason,
        )
        return case

    async def read(self, order_id: str) -> Approval:
        """Return an approval. Raises `UnknownApproval`."""
        return _described(await self._store.find(order_id), self._clock())

    async def requests(self, wanted: RequestsWanted) -> Requests:
        """Return the requests that orders asks for; those that are not known are left out."""
        moment = self._clock()
        if wanted.order_ids is not None:
            cases = await self._store.find_all(wanted.order_ids)
            return Requests(requests=_known(cases, moment))
        cases = await self._store.pending(moment, wanted.limit + 1, wanted.after)
        page = cases[: wanted.limit]
        after = page[-1].order_id if len(cases) > wanted.limit else None
        return Requests(requests=_known(page, moment), next=after)

    async def list(
        self, status: ApprovalStatus | None, limit: int, after: ListPosition | None
    ) -> Sequence[Approval]:
        """List approvals: pending ones by earliest deadline, all others by latest deadline."""
        moment = self._clock()
        cases = await self._store.list(status, moment, limit, after)
        return [_described(case, moment) for case in cases]

    async def _change(
        self,
        event: str,
        order_id: str,
        change: Callable[[Case], Case],
        unchanged_event: str = "duplicate_message",
        audited: AuditedDecision | None = None,
        **fields: str,
    ) -> tuple[Case, Case]:
        before, after = await self._store.change(order_id, change, audited)
        if before == after:
            log.info(unchanged_event, received=event, order_id=order_id, **fields)
        else:
            log.info(event, order_id=order_id, status=after.recorded_status(), **fields)
        first = after.first_approval
        if after.is_escalated and first is not None and not before.is_escalated:
            log.info("approval_escalated", order_id=order_id, approver=first.decision.approver)
        return before, after

    def _send(self, case: Case) -> None:
        if case.undelivered is not None:
            self._sender.send(case.order_id)


def _known(cases: Sequence[Case], moment: datetime) -> tuple[Approval, ...]:
    described = (case.describe(moment) for case in cases)
    return tuple(approval for approval in described if approval is not None)


def _described(case: Case, moment: datetime) -> Approval:
    approval = case.describe(moment)
    if approval is None:
        raise UnknownApproval(f"no approval was requested for order {case.order_id}")
    return approval
