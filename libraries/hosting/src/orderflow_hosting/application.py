"""The HTTP application of a service, before its access and its site are installed."""

from fastapi import APIRouter, FastAPI

from orderflow_hosting import problems
from orderflow_hosting.bodies import BodyCheck


def http_application(title: str, description: str, *routers: APIRouter) -> FastAPI:
    """Create an application that serves these routes and returns errors as problem documents."""
    app = FastAPI(
        title=title,
        description=description,
        openapi_url=None,  # the site serves it, together with the documentation
        responses=problems.common(),
    )
    problems.install(app)
    app.add_middleware(BodyCheck)
    for router in routers:
        app.include_router(router)
    return app
