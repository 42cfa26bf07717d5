"""A trailing slash in a path never redirects to another scheme or host."""

from collections.abc import AsyncIterator
from typing import cast

import httpx
import pytest
from fastapi import APIRouter, FastAPI

import approvals.decisions.api
import inventory.api
import orders.http
from inventory.service import StockService
from orderflow_hosting import problems
from orderflow_hosting.web import Site

BROWSER = {"Accept": "text/html"}
GATEWAY = {"Host": "shop.example", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "a.example"}


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    app = FastAPI(title="A site", openapi_url=None)
    problems.install(app)

    @app.get("/orders")
    @app.post("/orders")
    async def orders() -> str:
        return "orders"

    @app.get("/orders/{order_id}")
    async def order(order_id: str) -> str:
        return order_id

    Site("Test").install(app)
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        yield client


@pytest.mark.parametrize("method", ["GET", "POST", "PUT"])
@pytest.mark.parametrize("path", ["/orders/", "/orders/o-1/", "/docs/", "/openapi.json/"])
async def test_a_program_gets_the_right_path_but_no_redirect(
    http: httpx.AsyncClient, method: str, path: str
) -> None:
    """A redirect would resend its credentials wherever the response points."""
    answer = await http.request(method, path, headers=GATEWAY)

    assert (answer.status_code, answer.json()["code"]) == (404, "NOT_FOUND")
    assert f"use {path.rstrip('/')}" in answer.json()["detail"]
    assert "location" not in answer.headers


@pytest.mark.parametrize(
    ("path", "location"),
    [
        ("/orders/", "/orders"),
        ("/orders/?q=a%20b&x=1", "/orders?q=a%20b&x=1"),
        ("/orders/o%C3%BC/", "/orders/o%C3%BC"),
        ("/docs/", "/docs"),
    ],
)
async def test_a_browser_is_redirected_by_path_only(
    http: httpx.AsyncClient, path: str, location: str
) -> None:
    """Scheme and host stay those of the gateway."""
    answer = await http.get(path, headers={**BROWSER, **GATEWAY})

    assert (answer.status_code, answer.headers["location"]) == (307, location)


@pytest.mark.parametrize("path", ["//evil.example/", "/nowhere/", "/static/", "//orders/", "/"])
async def test_an_unknown_page_is_not_redirected(http: httpx.AsyncClient, path: str) -> None:
    """A path that begins like a host is never a redirect target."""
    url = httpx.URL("http://127.0.0.1", raw_path=path.encode())
    answer = await http.get(url, headers=BROWSER)

    assert answer.status_code == 404
    assert "location" not in answer.headers


def test_no_service_uses_the_frameworks_slash_redirect() -> None:
    """It names scheme and host."""
    services = [
        orders.http.http_app(),
        inventory.api.http_app(cast("StockService", None), APIRouter()),
        approvals.decisions.api.http_app(),
    ]
    assert [app.router.redirect_slashes for app in services] == [False, False, False]
