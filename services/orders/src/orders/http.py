"""The application that people reach over HTTP."""

from fastapi import APIRouter, FastAPI

from orderflow_hosting import problems


def http_app(*routers: APIRouter) -> FastAPI:
    """Build what people reach over HTTP."""
    app = FastAPI(
        title="Orderflow orders",
        description="Place orders and see them through.",
        openapi_url=None,  # the site serves it, and its documentation
        responses=problems.common(),
    )
    problems.install(app)
    for router in routers:
        app.include_router(router)
    return app
