"""The use cases of approvals: take in requests, decisions and withdrawals; read what there is."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Protocol

import structlog

from approvals.domain import Case
from approvals.store import ApprovalStore, Place, Taken
from orderflow_contracts.approvals import (
    Approval,
    ApprovalRequested,
    ApprovalStatus,
    ApprovalWithdrawn,
    Decision,
    DecisionMade,
)
from orderflow_contracts.fields import now

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

Clock = Callable[[], datetime]


class Carrier(Protocol):
    """Brings decisions to orders."""

    def offer(self, order_id: str) -> None:
        """Begin to hand over the decision about an order, unless that is under way."""
        ...


class UnknownApproval(Exception):
    """Nobody has asked for an approval of this order."""


class Inbox:
    """Requests for approval and the decisions about them; each call is safe to repeat.

    What a call takes in is committed when it returns. The rules' refusals are raised as they are
    (`approvals.domain.RefusedByRule`), and then nothing has changed.
    """

    def __init__(self, store: ApprovalStore, carrier: Carrier, clock: Clock = now) -> None:
        self._store = store
        self._carrier = carrier
        self._clock = clock

    async def ask(self, request: ApprovalRequested) -> None:
        """Take in a request for approval."""
        moment = self._clock()
        _, case = await self._change(
            "approval_requested",
            request.order_id,
            lambda case: case.ask(request, moment),
            known_as="approval_reminded" if request.reminder else "known_already",
        )
        self._deliver(case)

    async def decide(self, decision: DecisionMade) -> None:
        """Take in a decision; it is kept for its request if that has not come yet."""
        moment = self._clock()
        _, case = await self._change(
            "approval_decided",
            decision.order_id,
            lambda case: case.decide(decision, moment),
            taken=Taken(decision, via="topic"),
        )
        self._deliver(case)

    async def decide_known(self, order_id: str, decision: Decision, via: str = "open") -> Approval:
        """Take in a decision about a request that is here. Raises `UnknownApproval`.

        `via` tells the audit trail how it is known who decides.
        """
        moment = self._clock()

        def apply(case: Case) -> Case:
            if case.asked is None:
                raise UnknownApproval(f"no approval is known for order {order_id}")
            decided = case.decide(decision, moment)
            decided.must_be_wanted(moment)  # the same decision as before may have come too late
            return decided

        _, case = await self._change(
            "approval_decided", order_id, apply, taken=Taken(decision, via)
        )
        self._deliver(case)
        return _known(case, moment)

    async def withdraw(self, withdrawal: ApprovalWithdrawn) -> None:
        """Take in that an order no longer waits for a decision."""
        moment = self._clock()
        await self._change(
            "approval_withdrawn",
            withdrawal.order_id,
            lambda case: case.withdraw(withdrawal, moment),
            reason=withdrawal.reason,
        )

    async def read(self, order_id: str) -> Approval:
        """Tell about one approval. Raises `UnknownApproval`."""
        return _known(await self._store.find(order_id), self._clock())

    async def list(
        self, status: ApprovalStatus | None, limit: int, after: Place | None
    ) -> Sequence[Approval]:
        """Tell about many: pending ones by the nearest deadline, others by the latest."""
        moment = self._clock()
        cases = await self._store.list(status, moment, limit, after)
        return [_known(case, moment) for case in cases]

    async def _change(
        self,
        what: str,
        order_id: str,
        change: Callable[[Case], Case],
        known_as: str = "known_already",
        taken: Taken | None = None,
        **fields: str,
    ) -> tuple[Case, Case]:
        before, after = await self._store.change(order_id, change, taken)
        if before == after:
            log.info(known_as, what=what, order_id=order_id, **fields)
        else:
            log.info(what, order_id=order_id, status=after.recorded_status(), **fields)
        if after.is_escalated and after.endorsed is not None and not before.is_escalated:
            approver = after.endorsed.decision.approver
            log.info("approval_escalated", order_id=order_id, approver=approver)
        return before, after

    def _deliver(self, case: Case) -> None:
        if case.undelivered is not None:
            self._carrier.offer(case.order_id)


def _known(case: Case, moment: datetime) -> Approval:
    approval = case.describe(moment)
    if approval is None:
        raise UnknownApproval(f"no approval is known for order {case.order_id}")
    return approval
