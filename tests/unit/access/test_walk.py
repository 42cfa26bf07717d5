"""Routes whose guard is missing or does not fit."""

from typing import Annotated, Any

import pytest
from fastapi import APIRouter, Depends, FastAPI, Response

from fakes.access import opened
from orderflow_contracts.access import Role
from orderflow_hosting.access import changes, form, page, reads
from orderflow_hosting.access.walk import Unguarded, must_be_guarded


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
