"""The topics of approvals: requests, decisions and withdrawals that arrive as events."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from pydantic import BaseModel

from approvals.decisions.service import ApprovalService, UnknownApproval
from approvals.domain import Case, RuleViolation
from orderflow_contracts import names
from orderflow_contracts.approvals import ApprovalRequested, ApprovalWithdrawn, DecisionMade
from orderflow_contracts.fields import readable_order_id
from orderflow_hosting.dead_letters import Known
from orderflow_hosting.events import Event
from orderflow_hosting.topics import Handle, NotYetKnown, Refused, Topics, parse

Message = TypeVar("Message", bound=BaseModel)


def subscribe(topics: Topics, service: ApprovalService) -> None:
    """Subscribe to the topics of approvals."""

    async def find(event: Event) -> Known | None:
        order_id = readable_order_id(event.content)
        if order_id is None:
            return None
        try:
            approval = await service.read(order_id)
        except UnknownApproval:
            return None
        return Known("approval", order_id, approval.status)

    for topic, handle in (
        (names.APPROVALS_REQUESTED, _handler(ApprovalRequested, service.add_request)),
        (names.APPROVALS_DECISIONS, _handler(DecisionMade, service.decide)),
        (names.APPROVALS_WITHDRAWN, _handler(ApprovalWithdrawn, service.withdraw)),
    ):
        topics.subscribe(topic, handle, find)


def _handler(model: type[Message], use_case: Callable[[Message], Awaitable[Case]]) -> Handle:
    async def handle(event: Event) -> None:
        try:
            case = await use_case(parse(model, event))
        except RuleViolation as violation:
            raise Refused(str(violation)) from violation
        if case.received is None:  # it is recorded, and counts if its request still arrives
            raise NotYetKnown(
                f"no approval was requested for order {case.order_id}; what this event says is"
                " recorded, and counts if one is requested later"
            )

    return handle
