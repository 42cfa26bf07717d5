"""Approvals' edges: the topics that bring requests and decisions, and HTTP for people."""

from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Annotated, Final, TypeVar

from cloudevents.http import CloudEvent
from fastapi import APIRouter, Body, FastAPI, Path, Query
from pydantic import BaseModel, TypeAdapter, ValidationError

from approvals.cursors import cursor_of, read_cursor
from approvals.domain import (
    ApprovalExpired,
    ApprovalNotWanted,
    DecisionStands,
    RefusedByRule,
)
from approvals.inbox import Inbox, UnknownApproval
from approvals.store import Place
from orderflow_contracts import names
from orderflow_contracts.approvals import (
    Approval,
    ApprovalRequested,
    ApprovalStatus,
    ApprovalWithdrawn,
    Decision,
    DecisionMade,
)
from orderflow_contracts.fields import OrderId, readable_order_id
from orderflow_hosting import problems
from orderflow_hosting.access import Principal, Role, changes, reads
from orderflow_hosting.dapr_app import DaprApp, Refused
from orderflow_hosting.dead_letters import DeadLetters
from orderflow_hosting.pages import After, Limit, Page
from orderflow_hosting.problems import FieldError, Problem, describe, documented

Message = TypeVar("Message", bound=BaseModel)
Handler = Callable[[CloudEvent], Awaitable[None]]

_ORDER_ID: Final[TypeAdapter[str]] = TypeAdapter(OrderId)

_PROBLEMS: Final[Mapping[type[Exception], tuple[int, str]]] = {
    UnknownApproval: (404, "APPROVAL_NOT_FOUND"),
    DecisionStands: (409, "DECISION_STANDS"),
    ApprovalExpired: (409, "APPROVAL_EXPIRED"),
    ApprovalNotWanted: (409, "APPROVAL_WITHDRAWN"),
}

_INVALID: Final = "The input is not valid; `errors` names each field"
_MISSING: Final = "Nobody has asked for an approval of this order"
_STANDS: Final = (
    "Another decision stands (`DECISION_STANDS`), the time is over (`APPROVAL_EXPIRED`), or the "
    "order no longer waits (`APPROVAL_WITHDRAWN`)"
)
_AWAY: Final = "The database does not answer at the moment"

PathOrderId = Annotated[
    str, Path(description="The order that the approval is about", examples=["my-2"])
]
BodyDecision = Annotated[
    Decision, Body(examples=[{"approved": True, "approver": "bob", "comment": "fine"}])
]
Status = Annotated[ApprovalStatus | None, Query(description="Only approvals with this status")]


def subscribe(app: DaprApp, inbox: Inbox, letters: DeadLetters) -> None:
    """Take in what comes by topic, and keep what the sidecar gives up on."""
    for topic, handle in handlers(inbox, letters).items():
        app.on_topic(topic, handle)
    letters.listen(app, names.SUBSCRIPTIONS[names.APPROVALS])


def handlers(inbox: Inbox, letters: DeadLetters) -> dict[str, Handler]:
    """Make the handler of each topic."""

    def handler(
        topic: str, model: type[Message], take: Callable[[Message], Awaitable[None]]
    ) -> Handler:
        async def handle(event: CloudEvent) -> None:
            order_id = readable_order_id(event.data)
            try:
                await take(_parse(model, event))
            except RefusedByRule as refusal:
                await letters.refuse(topic, event, str(refusal), order_id)
                raise Refused(str(refusal), order_id=order_id) from refusal

        return handle

    return {
        names.APPROVALS_REQUESTED: handler(names.APPROVALS_REQUESTED, ApprovalRequested, inbox.ask),
        names.APPROVALS_DECISIONS: handler(names.APPROVALS_DECISIONS, DecisionMade, inbox.decide),
        names.APPROVALS_WITHDRAWN: handler(
            names.APPROVALS_WITHDRAWN, ApprovalWithdrawn, inbox.withdraw
        ),
    }


def http_app(*routers: APIRouter) -> FastAPI:
    """Build what people reach over HTTP."""
    app = FastAPI(
        title="Orderflow approvals",
        description="Which orders wait for a person, and what was decided about them.",
        openapi_url=None,  # the site serves it, and its documentation
        responses=problems.common(),
    )
    problems.install(app)
    for router in routers:
        app.include_router(router)
    return app


def approval_router(inbox: Inbox) -> APIRouter:
    """Serve approvals: list, read, decide."""
    router = APIRouter(
        prefix="/approvals",
        tags=["approvals"],
        responses=documented({422: _INVALID, 503: _AWAY}),
    )

    @router.get(
        "",
        summary="List approvals",
        dependencies=[reads()],
        description="Pending ones come with the nearest deadline first; every other list begins "
        "with the latest deadline. An approval's place in the list never changes, so that pages "
        "neither skip nor repeat any.",
    )
    async def list_approvals(
        status: Status = None, limit: Limit = 100, after: After = None
    ) -> Page[Approval]:
        with _told():
            found = await inbox.list(status, limit + 1, _place(after))
        items = list(found[:limit])
        return Page(items=items, next=_cursor(items[-1]) if len(found) > limit else None)

    @router.get(
        "/{order_id}",
        summary="Read an approval",
        responses=documented({404: _MISSING}),
        dependencies=[reads()],
    )
    async def read(order_id: PathOrderId) -> Approval:
        with _told():
            return await inbox.read(_possible(order_id))

    @router.post(
        "/{order_id}/decision",
        summary="Approve or deny an order",
        description="The first decision stands. When this answers with 200 the decision is kept, "
        "and orders will be told until it has answered; the same decision again changes nothing. "
        "Where `levels` is 2, the first approval leaves it pending until somebody else decides. "
        "With a token, `approver` must be the token's name.",
        responses=documented({404: _MISSING, 409: _STANDS}),
    )
    async def decide(
        order_id: PathOrderId,
        decision: BodyDecision,
        who: Annotated[Principal, changes(Role.APPROVER, None)],
    ) -> Approval:
        _must_be_own(decision, who)
        with _told():
            return await inbox.decide_known(_possible(order_id), decision, via=who.via)

    return router


def _must_be_own(decision: Decision, who: Principal) -> None:
    """Let nobody who is known decide under another name."""
    if who.via != "open" and decision.approver != who.name:
        error = FieldError(field="approver", message=f"must be {who.name}, as the token is")
        raise Problem(403, "NOT_ALLOWED", f"{error.field}: {error.message}", [error])


class InvalidEvent(RefusedByRule):
    """An event that does not say what its topic promises."""


def _parse(model: type[Message], event: CloudEvent) -> Message:
    try:
        return model.model_validate(event.data)
    except ValidationError as error:
        raise InvalidEvent(f"invalid: {describe(error)}") from error


def _possible(order_id: str) -> str:
    """Let through what can be an order id; nothing is known about any other text."""
    try:
        return _ORDER_ID.validate_python(order_id)
    except ValidationError:
        raise UnknownApproval(f"{order_id!r} cannot be the id of an order") from None


@contextmanager
def _told() -> Iterator[None]:
    """Tell the failures of rules and store as problems."""
    try:
        yield
    except tuple(_PROBLEMS) as error:
        status, code = _PROBLEMS[type(error)]
        raise Problem(status, code, str(error)) from error


def _cursor(approval: Approval) -> str:
    return cursor_of(approval.expires_at, approval.order_id)


def _place(cursor: str | None) -> Place | None:
    return None if cursor is None else Place(*read_cursor(cursor))
