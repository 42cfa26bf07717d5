"""The documentation of a service's HTTP API, which loads nothing from another host."""

from typing import Final

from fastapi import APIRouter, FastAPI
from fastapi.responses import HTMLResponse, JSONResponse
from markupsafe import Markup

PAGE: Final = Markup("""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}: API</title>
<link rel="icon" href="/static/icon.svg" type="image/svg+xml">
<link rel="stylesheet" href="/static/vendor/swagger-ui.css">
<script src="/static/vendor/swagger-ui-bundle.js" defer></script>
<script src="/static/api-docs.js" defer></script>
</head>
<body><div id="swagger-ui"></div></body>
</html>
""")

POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; connect-src 'self'; base-uri 'none'; frame-ancestors 'none'"
)
"""Swagger UI writes style attributes; the page shows no input of users."""


def api_docs_router(app: FastAPI) -> APIRouter:
    """Serve `/docs`, where people can read and try what `/openapi.json` describes.

    The application must be made without such routes of its own: FastAPI's load their script from
    another host.
    """
    router = APIRouter(include_in_schema=False)

    @router.get("/docs")
    async def docs() -> HTMLResponse:
        page = PAGE.format(title=app.title)
        return HTMLResponse(page, headers={"Content-Security-Policy": POLICY})

    @router.get("/openapi.json")
    async def openapi() -> JSONResponse:
        return JSONResponse(app.openapi())

    return router
