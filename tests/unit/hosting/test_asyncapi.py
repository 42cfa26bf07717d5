"""The route that serves an AsyncAPI document."""

import httpx
import pytest
from fastapi import FastAPI

from fakes.access import opened
from orderflow_contracts.access import Role
from orderflow_hosting.access.walk import must_be_guarded, routes_of
from orderflow_hosting.web.asyncapi import asyncapi_router

DOCUMENT = {"asyncapi": "3.0.0", "channels": {"things.made": {"address": "things.made"}}}


@pytest.fixture
def app() -> FastAPI:
    app = FastAPI(openapi_url=None)
    app.include_router(asyncapi_router(DOCUMENT))
    return opened(app)


async def test_the_document_is_served_as_json(app: FastAPI) -> None:
    """It is served as it was given."""
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://orders") as http:
        response = await http.get("/asyncapi")

    assert response.headers["content-type"] == "application/json"
    assert response.json() == DOCUMENT


def test_whoever_may_view_may_read_it(app: FastAPI) -> None:
    """Its guard is that of every reading route."""
    must_be_guarded(app)
    guard = routes_of(app)["GET /asyncapi"]

    assert guard is not None
    assert (guard.kind, guard.role) == ("reads", Role.VIEWER)


def test_openapi_lists_it(app: FastAPI) -> None:
    """People find it in the documentation of the HTTP API."""
    assert app.openapi()["paths"]["/asyncapi"]["get"]["summary"]
