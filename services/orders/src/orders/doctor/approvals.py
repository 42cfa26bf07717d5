"""Requests for approval, compared with the orders that wait for them."""

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any, Final

from orderflow_contracts.approvals import (
    MOST_AT_ONCE,
    Approval,
    ApprovalRequested,
    ApprovalStatus,
    ApprovalWithdrawn,
    Decision,
    RaiseRequest,
    RequestsWanted,
)
from orderflow_contracts.doctor import APPROVAL_MISSING, APPROVAL_OUTLIVED, DECISION_NOT_TAKEN, Kind
from orderflow_contracts.names import APPROVALS_REQUESTED, APPROVALS_WITHDRAWN
from orderflow_contracts.orders import OrderStatus
from orderflow_hosting.doctor import Disagreement, Look
from orderflow_hosting.doctor.checks import Heal
from orderflow_workflow_runtime.ports import ManagedEngine
from orders.config import OrdersSettings
from orders.doctor.ports import Approving
from orders.doctor.store import DoctorStore, Known, Unfinished
from orders.domain import approval_levels
from orders.ordering.messages import OrderPolicy
from orders.ordering.service import Intake
from orders.outgoing import approval_requested, approval_withdrawn

PATIENCE: Final = timedelta(seconds=30)
"""So long after a change, each of the two services has learned of it."""
DECIDED: Final = frozenset({ApprovalStatus.APPROVED, ApprovalStatus.DENIED})


class PendingRequests:
    """Each pending request is of an order that waits for approval."""

    name = "the pending requests for approval"
    pages_in_a_round = 2

    def __init__(self, store: DoctorStore, approvals: Approving) -> None:
        self._store = store
        self._approvals = approvals

    async def page(self, after: str | None) -> Look:
        """Compare the next pending requests by order id."""
        reply = await self._approvals.requests(RequestsWanted(after=after))
        return Look(await self._compare(reply.requests), reply.next)

    async def of(self, subject: str) -> Sequence[Disagreement]:
        """Compare the request of one order."""
        reply = await self._approvals.requests(RequestsWanted(order_ids=(subject,)))
        return await self._compare(reply.requests)

    async def _compare(self, requests: Iterable[Approval]) -> list[Disagreement]:
        pending = [each for each in requests if each.status is ApprovalStatus.PENDING]
        known = await self._store.known([each.order_id for each in pending])
        return [
            self._outlived(each, order)
            for each in pending
            if (order := known.get(each.order_id)) is None
            or order.status is not OrderStatus.AWAITING_APPROVAL
            if not await self._store.is_promised(each.order_id, APPROVALS_WITHDRAWN)
        ]

    def _outlived(self, request: Approval, order: Known | None) -> Disagreement:
        reason = "no_such_order" if order is None else f"order_{order.status}"

        async def withdraw() -> None:
            withdrawal = ApprovalWithdrawn(order_id=request.order_id, reason=reason)
            await self._store.promise(approval_withdrawn(withdrawal))

        what = "there is no such order" if order is None else f"it is {order.status}"
        return Disagreement(
            APPROVAL_OUTLIVED,
            f"order {request.order_id}",
            f"a request for approval is pending, but {what}",
            order.evidence if order else "",
            withdraw,
        )


class AwaitingOrders:
    """Each order that waits for approval has a request that is pending."""

    name = "the orders that wait for approval"
    pages_in_a_round = 2

    def __init__(
        self,
        store: DoctorStore,
        approvals: Approving,
        engine: ManagedEngine,
        intake: Intake,
        settings: OrdersSettings,
    ) -> None:
        self._store = store
        self._approvals = approvals
        self._engine = engine
        self._intake = intake
        self._settings = settings

    async def page(self, after: str | None) -> Look:
        """Compare the next orders by number."""
        status = OrderStatus.AWAITING_APPROVAL
        orders = await self._store.unfinished(int(after or 0), MOST_AT_ONCE, status=status)
        following = str(orders[-1].known.number) if len(orders) == MOST_AT_ONCE else None
        return Look(await self._compare(orders), following)

    async def of(self, subject: str) -> Sequence[Disagreement]:
        """Compare one order."""
        status = OrderStatus.AWAITING_APPROVAL
        return await self._compare(await self._store.unfinished(0, 1, status=status, only=subject))

    async def _compare(self, orders: Sequence[Unfinished]) -> list[Disagreement]:
        until = self._store.clock() - PATIENCE
        waiting = {each.known.order_id: each for each in orders if each.known.updated_at < until}
        if not waiting:
            return []
        reply = await self._approvals.requests(RequestsWanted(order_ids=tuple(waiting)))
        requests = {each.order_id: each for each in reply.requests}
        found = [
            await self._examine(order, requests.get(order_id))
            for order_id, order in waiting.items()
        ]
        return [each for each in found if each is not None]

    async def _examine(self, order: Unfinished, request: Approval | None) -> Disagreement | None:
        if request is None:
            promised = await self._store.is_promised(order.known.order_id, APPROVALS_REQUESTED)
            return None if promised else self._missing(order)
        if request.status is ApprovalStatus.WITHDRAWN:
            what = "it waits for approval, but its request was withdrawn"
            return _found(APPROVAL_MISSING, order, what)
        is_late = request.decided_at and request.decided_at < self._store.clock() - PATIENCE
        return self._not_taken(order, request) if is_late and request.status in DECIDED else None

    def _missing(self, order: Unfinished) -> Disagreement:
        async def request_again() -> None:
            await self._store.promise(approval_requested(await self._request(order)))

        what = "it waits for approval, but approvals does not know its request"
        return _found(APPROVAL_MISSING, order, what, request_again)

    def _not_taken(self, order: Unfinished, request: Approval) -> Disagreement:
        async def raise_again() -> None:
            decision = Decision(
                approved=request.status is ApprovalStatus.APPROVED,
                approver=request.approver or "",
                comment=request.comment or "",
            )
            await self._intake.hand_over(RaiseRequest(order_id=order.known.order_id, data=decision))

        what = f"it waits for approval, but was {request.status} by {request.approver}"
        return _found(DECISION_NOT_TAKEN, order, what, raise_again)

    async def _request(self, order: Unfinished) -> ApprovalRequested:
        """Build the order's request again, with the policy that its run was started with."""
        submitted, known = order.pending.order, order.known
        instance = await self._engine.instance(known.order_id)
        given = instance.input if instance and isinstance(instance.input, dict) else {}
        policy = OrderPolicy.model_validate(
            {**OrderPolicy.of(self._settings).model_dump(), **_policy_in(given)}
        )
        total_cents = known.total_cents or 0
        levels = approval_levels(
            total_cents, policy.approval_threshold_cents, policy.second_approval_threshold_cents
        )
        return ApprovalRequested(
            order_id=known.order_id,
            customer_id=submitted.customer_id,
            lines=submitted.lines,
            total_cents=total_cents,
            expires_at=known.updated_at + timedelta(seconds=policy.approval_timeout_seconds),
            levels=max(levels, 1),
        )


def _policy_in(given: dict[str, Any]) -> dict[str, Any]:
    return {name: given[name] for name in OrderPolicy.model_fields if name in given}


def _found(kind: Kind, order: Unfinished, what: str, heal: Heal | None = None) -> Disagreement:
    about = f"order {order.known.order_id}"
    return Disagreement(kind, about, what, order.known.evidence, heal)
