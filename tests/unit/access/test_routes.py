"""Which guard protects which route of the three services."""

from typing import Annotated, Any, cast

import pytest
from fastapi import APIRouter, Depends, FastAPI, Response

import approvals.decisions.api
import inventory.api
import orders.http
import orders.ordering.api
import orders.payments.api
from fakes.access import opened
from orderflow_contracts.access import Role
from orderflow_hosting.access import changes, form, page, reads
from orderflow_hosting.access.audit_api import audit_router
from orderflow_hosting.access.walk import Unguarded, must_be_guarded, routes_of
from orderflow_hosting.dead_letters import dead_letter_router, parked_event_router
from orderflow_hosting.health import health_router
from orders.batches.api import batch_router
from orders.management.api import workflow_router
from orders.management.service import Management
from orders.tasks.api import task_router

NOT_USED = cast("Any", None)

HEALTH = {"GET /healthz": "public", "GET /readyz": "public"}
DOCS = {"GET /docs": "reads viewer", "GET /openapi.json": "reads viewer"}
AUDIT = {"GET /audit": "reads operator"}
LETTERS = {
    "GET /dead-letters": "reads viewer",
    "GET /dead-letters/{letter_id}": "reads viewer",
    "POST /dead-letters/{letter_id}/resend": "changes operator dead-letter.resend",
    "POST /dead-letters/{letter_id}/discard": "changes operator dead-letter.discard",
    "GET /parked-events": "reads viewer",
}


def of_orders() -> FastAPI:
    return orders.http.http_app(
        orders.ordering.api.order_router(NOT_USED, NOT_USED, NOT_USED),
        batch_router(NOT_USED),
        orders.payments.api.payment_router(NOT_USED),
        task_router(NOT_USED),
        workflow_router(cast("Any", Management)),
        dead_letter_router(NOT_USED),
        parked_event_router(NOT_USED),
        health_router({}),
        audit_router(NOT_USED),
    )


def of_approvals() -> FastAPI:
    return approvals.decisions.api.http_app(
        approvals.decisions.api.approval_router(NOT_USED),
        dead_letter_router(NOT_USED),
        parked_event_router(NOT_USED),
        health_router({}),
        audit_router(NOT_USED),
    )


def of_inventory() -> FastAPI:
    return inventory.api.http_app(NOT_USED, health_router({}))


ORDERS = {
    "POST /orders": "changes operator order.place",
    "GET /orders": "reads viewer",
    "GET /orders/stream": "reads viewer",
    "GET /orders/{order_id}": "reads viewer",
    "POST /orders/{order_id}/cancel": "changes operator order.cancel",
    "GET /batches": "reads viewer",
    "GET /batches/{batch_id}": "reads viewer",
    "GET /payments": "reads viewer",
    "GET /payments/{order_id}": "reads viewer",
    "GET /tasks": "reads viewer",
    "GET /tasks/{task_id}": "reads viewer",
    "POST /tasks/{task_id}/complete": "changes operator task.complete",
    "POST /workflows/start/{suffix}": "changes operator workflow.start",
    "POST /workflows/purge": "changes operator workflow.purge",
    "POST /workflows/{workflow_name}/start": "changes operator workflow.start",
    "GET /workflows": "reads viewer",
    "GET /workflows/{instance_id}/status": "reads viewer",
    "GET /workflows/{instance_id}/history": "reads viewer",
    "GET /workflows/{instance_id}/wait": "reads viewer",
    "POST /workflows/{instance_id}/pause": "changes operator workflow.pause",
    "POST /workflows/{instance_id}/resume": "changes operator workflow.resume",
    "POST /workflows/{instance_id}/purge": "changes operator workflow.purge",
    "POST /workflows/{instance_id}/terminate": "changes operator workflow.terminate",
    "POST /workflows/{instance_id}/raise_event/{event_name}": (
        "changes operator workflow.raise-event"
    ),
    "POST /workflows/{instance_id}/rerun": "changes operator workflow.rerun",
}
APPROVALS = {
    "GET /approvals": "reads viewer",
    "GET /approvals/{order_id}": "reads viewer",
    "POST /approvals/{order_id}/decision": "changes approver",
}


@pytest.mark.parametrize(
    ("app", "expected"),
    [
        (of_orders(), {**ORDERS, **LETTERS, **AUDIT}),
        (of_approvals(), {**APPROVALS, **LETTERS, **AUDIT}),
        (of_inventory(), {"GET /stock": "reads viewer"}),
    ],
    ids=["orders", "approvals", "inventory"],
)
def test_every_route_has_its_guard(app: FastAPI, expected: dict[str, str]) -> None:
    """A new route or a changed guard must be listed here."""
    opened(app)
    must_be_guarded(app)

    found = {
        route: " ".join(filter(None, (guard.kind, guard.role, guard.action)))
        if guard is not None
        else "public"
        for route, guard in routes_of(app).items()
    }

    assert found.pop("ANY /static") == "public"
    assert found == {**expected, **HEALTH, **DOCS}


@pytest.mark.parametrize(
    ("method", "path", "guards"),
    [
        ("GET", "/forgotten", []),
        ("POST", "/forgotten", []),
        ("POST", "/healthz/more", []),
        ("POST", "/reading", [reads()]),
        ("POST", "/page", [page()]),
        ("GET", "/changing", [changes(Role.OPERATOR, "x")]),
        ("GET", "/form", [form(Role.OPERATOR, "x")]),
        ("GET", "/twice", [reads(), page()]),
        ("GET", "/healthz", [reads()]),
    ],
)
def test_a_route_without_a_suitable_guard_prevents_the_start(
    method: str, path: str, guards: list[Any]
) -> None:
    """There is no guard, or two, or one for reading on a route that changes, or the reverse."""
    router = APIRouter()

    async def answer() -> Response:
        return Response()

    router.add_api_route(path, answer, methods=[method], dependencies=guards)
    app = opened(FastAPI(openapi_url=None))
    app.include_router(router)

    with pytest.raises(Unguarded, match=path):
        must_be_guarded(app)


def test_the_frameworks_unguarded_documentation_prevents_the_start() -> None:
    """FastAPI's built-in documentation has no guard, so it must be off."""
    with pytest.raises(Unguarded, match=r"openapi\.json"):
        must_be_guarded(opened(FastAPI()))


def test_a_guard_may_be_on_the_router() -> None:
    """Or it may be a dependency of another dependency."""
    router = APIRouter(dependencies=[reads()])
    other = APIRouter()

    @router.get("/one")
    async def one() -> Response:
        return Response()

    async def asks(_: Annotated[Any, page()]) -> None:
        """Require a signed-in caller."""

    @other.get("/two", dependencies=[Depends(asks)])
    async def two() -> Response:
        return Response()

    app = opened(FastAPI(openapi_url=None))
    app.include_router(router)
    app.include_router(other, prefix="/deeper")
    must_be_guarded(app)
