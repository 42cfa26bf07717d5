"""What a service's access does besides its guards."""

import httpx
from fastapi import APIRouter, FastAPI, Request
from starlette.types import Scope

from fakes.access import settings
from fakes.guarded_app import Guarded
from orderflow_contracts.access import Role
from orderflow_hosting import problems
from orderflow_hosting.access import Access, reads
from orderflow_hosting.web import Site


async def test_a_streaming_response_can_see_that_its_session_has_ended(opened: Guarded) -> None:
    """It ends by age, by signing out, or because the user was removed."""
    opened.people.add("ann", Role.VIEWER)
    for end in ("age", "removed"):
        browser = await opened.signed_in("ann")
        request = await _request(opened, browser)
        assert await opened.access.session_is_current(request)

        if end == "age":
            opened.clock.pass_by(hours=1)
        else:
            opened.people.remove("ann")

        assert not await opened.access.session_is_current(request)


async def test_checking_a_session_does_not_extend_it(opened: Guarded) -> None:
    """An open page that follows changes does not mean that somebody is active."""
    opened.people.add("ann", Role.VIEWER)
    request = await _request(opened, await opened.signed_in("ann"))
    for _ in range(5):
        opened.clock.pass_by(minutes=11)
        assert await opened.access.session_is_current(request)
    opened.clock.pass_by(minutes=5)

    assert not await opened.access.session_is_current(request)


async def test_a_program_is_never_signed_out(opened: Guarded) -> None:
    """Without a session, none can end."""
    request = await _request(opened, opened.client())

    assert await opened.access.session_is_current(request)


async def test_a_service_without_pages_refuses_browsers_without_a_redirect() -> None:
    """It has no sign-in page to redirect to."""
    app = FastAPI(openapi_url=None)
    problems.install(app)
    Access(settings(ORDERFLOW_APIS_CLOSED="1"), "inventory").install(app)
    Site("Inventory").install(app, [reads()])
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://inventory") as client:
        response = await client.get("/stock", headers={"Accept": "text/html"})

    assert response.status_code == 401
    assert response.headers["Content-Type"].startswith("text/html")


async def test_the_openapi_description_says_which_paths_need_a_token(
    closed: Guarded, opened: Guarded
) -> None:
    """Health checks need none, and open APIs need none either."""
    wanted = closed.app.openapi()["paths"]
    taken = opened.app.openapi()["paths"]

    assert wanted["/things"]["get"]["security"] == [{"token": []}]
    assert taken["/things"]["get"]["security"] == [{"token": []}, {}]
    assert wanted["/healthz"]["get"]["security"] == []


async def test_an_open_api_does_not_use_the_access_database(opened: Guarded) -> None:
    """Requests of local programs cost neither a query nor a write for access."""
    opened.database.close()
    client = opened.client()

    assert (await client.get("/things")).status_code == 200
    assert (await client.post("/orders")).status_code == 200


async def test_health_is_served_while_the_database_is_unavailable(closed: Guarded) -> None:
    """This includes requests with a cookie, which browsers send to every path."""
    closed.people.add("ann", Role.VIEWER)
    browser = await closed.signed_in("ann")
    closed.database._ready.clear()

    assert (await browser.get("/healthz")).status_code == 200
    assert (await browser.get("/static/icon.svg")).status_code == 200
    away = await browser.get("/things")
    assert (away.status_code, away.json()["code"]) == (503, "STORE_UNAVAILABLE")


async def _request(service: Guarded, client: httpx.AsyncClient) -> Request:
    """Send a request to a route with a long response, and return the request."""
    scopes: list[Scope] = []
    router, path = APIRouter(), f"/long/{len(service.app.routes)}"

    @router.get(path, dependencies=[reads()])
    async def long(request: Request) -> str:
        scopes.append(request.scope)
        return ""

    service.app.include_router(router)
    assert (await client.get(path)).status_code == 200
    return Request(scopes[-1])
