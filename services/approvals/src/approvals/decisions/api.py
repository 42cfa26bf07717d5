"""The HTTP API of approvals."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Annotated, Final

from fastapi import APIRouter, Body, FastAPI, Path, Query
from pydantic import TypeAdapter, ValidationError

from approvals.cursors import cursor_of, read_cursor
from approvals.decisions.ports import ListPosition
from approvals.decisions.service import ApprovalService, UnknownApproval
from approvals.domain import (
    AlreadyDecided,
    ApprovalExpired,
    ApprovalNoLongerNeeded,
)
from orderflow_contracts.approvals import (
    Approval,
    ApprovalStatus,
    Decision,
)
from orderflow_contracts.fields import OrderId
from orderflow_hosting.access import Principal, Role, changes, reads
from orderflow_hosting.application import http_application
from orderflow_hosting.pages import After, Limit, Page
from orderflow_hosting.problems import FieldError, Problem, documented

_ORDER_ID: Final[TypeAdapter[str]] = TypeAdapter(OrderId)

_PROBLEMS: Final[Mapping[type[Exception], tuple[int, str]]] = {
    UnknownApproval: (404, "APPROVAL_NOT_FOUND"),
    AlreadyDecided: (409, "DECISION_STANDS"),
    ApprovalExpired: (409, "APPROVAL_EXPIRED"),
    ApprovalNoLongerNeeded: (409, "APPROVAL_WITHDRAWN"),
}

_INVALID: Final = "The input is not valid; `errors` names each field"
_MISSING: Final = "No approval was requested for this order"
_CONFLICT: Final = (
    "Already decided differently (`DECISION_STANDS`), past the deadline (`APPROVAL_EXPIRED`), or "
    "no longer needed (`APPROVAL_WITHDRAWN`)"
)
_UNAVAILABLE: Final = "The database is not available"

PathOrderId = Annotated[str, Path(description="The order ID", examples=["my-2"])]
BodyDecision = Annotated[
    Decision, Body(examples=[{"approved": True, "approver": "bob", "comment": "fine"}])
]
Status = Annotated[ApprovalStatus | None, Query(description="Only approvals with this status")]


def http_app(*routers: APIRouter) -> FastAPI:
    """Create the HTTP application."""
    description = "Approval requests for orders, and the decisions about them."
    return http_application("Orderflow approvals", description, *routers)


def approval_router(service: ApprovalService) -> APIRouter:
    """Return the routes that list, read and decide approvals."""
    router = APIRouter(
        prefix="/approvals",
        tags=["approvals"],
        responses=documented({422: _INVALID, 503: _UNAVAILABLE}),
    )
    _add_reading(router, service)
    _add_deciding(router, service)
    return router


def _add_reading(router: APIRouter, service: ApprovalService) -> None:
    """List approvals, and read one."""

    @router.get(
        "",
        summary="List approvals",
        dependencies=[reads()],
        description="Pending approvals are sorted by earliest deadline, all other lists by latest "
        "deadline. An approval's position in the list never changes, so pages neither skip nor "
        "repeat any.",
    )
    async def list_approvals(
        status: Status = None, limit: Limit = 100, after: After = None
    ) -> Page[Approval]:
        with _map_errors():
            found = await service.list(status, limit + 1, _position(after))
        items = list(found[:limit])
        return Page(items=items, next=_cursor(items[-1]) if len(found) > limit else None)

    @router.get(
        "/{order_id}",
        summary="Read an approval",
        responses=documented({404: _MISSING}),
        dependencies=[reads()],
    )
    async def read(order_id: PathOrderId) -> Approval:
        with _map_errors():
            return await service.read(_valid_order_id(order_id))


def _add_deciding(router: APIRouter, service: ApprovalService) -> None:
    """Approve or deny."""

    @router.post(
        "/{order_id}/decision",
        summary="Approve or deny an order",
        description="The first decision stands. A 200 response means that the decision is stored "
        "and will be delivered to orders; repeating the same decision changes nothing. If `levels` "
        "is 2, the first approval leaves it pending until another person decides. With a token, "
        "`approver` must be the token's name.",
        responses=documented({404: _MISSING, 409: _CONFLICT}),
    )
    async def decide(
        order_id: PathOrderId,
        decision: BodyDecision,
        who: Annotated[Principal, changes(Role.APPROVER, None)],
    ) -> Approval:
        _check_approver(decision, who)
        with _map_errors():
            return await service.decide_existing(_valid_order_id(order_id), decision, via=who.via)


def _check_approver(decision: Decision, who: Principal) -> None:
    """Reject a decision under a name other than the authenticated caller's."""
    if who.via != "open" and decision.approver != who.name:
        error = FieldError(field="approver", message=f"must be {who.name}, the token's name")
        raise Problem(403, "NOT_ALLOWED", f"{error.field}: {error.message}", [error])


def _valid_order_id(order_id: str) -> str:
    """Return the ID if it is well-formed; raise `UnknownApproval` otherwise."""
    try:
        return _ORDER_ID.validate_python(order_id)
    except ValidationError:
        raise UnknownApproval(f"{order_id!r} is not a valid order ID") from None


@contextmanager
def _map_errors() -> Iterator[None]:
    """Convert errors of the rules to problem documents."""
    try:
        yield
    except tuple(_PROBLEMS) as error:
        status, code = _PROBLEMS[type(error)]
        raise Problem(status, code, str(error)) from error


def _cursor(approval: Approval) -> str:
    return cursor_of(approval.expires_at, approval.order_id)


def _position(cursor: str | None) -> ListPosition | None:
    return None if cursor is None else ListPosition(*read_cursor(cursor))
