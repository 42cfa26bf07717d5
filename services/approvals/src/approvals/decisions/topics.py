"""The topics of approvals: requests, decisions and withdrawals that arrive as events."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from cloudevents.http import CloudEvent
from pydantic import BaseModel, ValidationError

from approvals.decisions.service import ApprovalService
from approvals.domain import RuleViolation
from orderflow_contracts import names
from orderflow_contracts.approvals import ApprovalRequested, ApprovalWithdrawn, DecisionMade
from orderflow_contracts.fields import readable_order_id
from orderflow_hosting.dapr_app import DaprApp, Refused
from orderflow_hosting.dead_letters import DeadLetters
from orderflow_hosting.problems import describe

Message = TypeVar("Message", bound=BaseModel)
Handler = Callable[[CloudEvent], Awaitable[None]]


class InvalidEvent(RuleViolation):
    """An event whose data does not match its topic's contract."""


def _parse(model: type[Message], event: CloudEvent) -> Message:
    try:
        return model.model_validate(event.data)
    except ValidationError as error:
        raise InvalidEvent(f"invalid: {describe(error)}") from error


def subscribe(app: DaprApp, service: ApprovalService, dead_letters: DeadLetters) -> None:
    """Subscribe to the topics of approvals and to their dead letters."""
    for topic, handle in handlers(service, dead_letters).items():
        app.on_topic(topic, handle)
    dead_letters.listen(app, names.SUBSCRIPTIONS[names.APPROVALS])


def handlers(service: ApprovalService, dead_letters: DeadLetters) -> dict[str, Handler]:
    """Return the handler of each topic."""

    def handler(
        topic: str, model: type[Message], use_case: Callable[[Message], Awaitable[None]]
    ) -> Handler:
        async def handle(event: CloudEvent) -> None:
            order_id = readable_order_id(event.data)
            try:
                await use_case(_parse(model, event))
            except RuleViolation as violation:
                await dead_letters.refuse(topic, event, str(violation), order_id)
                raise Refused(str(violation), order_id=order_id) from violation

        return handle

    return {
        names.APPROVALS_REQUESTED: handler(
            names.APPROVALS_REQUESTED, ApprovalRequested, service.add_request
        ),
        names.APPROVALS_DECISIONS: handler(names.APPROVALS_DECISIONS, DecisionMade, service.decide),
        names.APPROVALS_WITHDRAWN: handler(
            names.APPROVALS_WITHDRAWN, ApprovalWithdrawn, service.withdraw
        ),
    }
