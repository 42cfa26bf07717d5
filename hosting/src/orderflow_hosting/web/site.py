"""A service's site: its templates and menu, what its pages load, and how failures look."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from fastapi import FastAPI, Request, params
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from orderflow_contracts.fields import now
from orderflow_hosting.problems import Problem
from orderflow_hosting.web.api_docs import api_docs_router
from orderflow_hosting.web.changes import session_key
from orderflow_hosting.web.filters import FILTERS
from orderflow_hosting.web.headers import SecurityHeaders

_OWN: Final = "orderflow_hosting.web"
STATIC: Final = Path(__file__).parent / "static"
SIGN_IN: Final = "/sign-in"
A_YEAR_SECONDS: Final = 365 * 24 * 3600


class _Missing(StrictUndefined):
    """What a template names and nobody gave: it can be asked for, and fails where it is shown."""

    def __bool__(self) -> bool:  # type: ignore[override] # it answers, instead of failing
        return False


@dataclass(frozen=True)
class MenuItem:
    """An entry of a site's menu, for those who have the role."""

    label: str
    path: str
    role: str = "viewer"


class _Static(StaticFiles):
    """Files whose address changes with their content, so that a browser may keep them."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        if response.status_code == HTTPStatus.OK and b"v=" in scope.get("query_string", b""):
            lasting = f"public, max-age={A_YEAR_SECONDS}, immutable"
            response.headers["Cache-Control"] = lasting
        return response


class Site:
    """The pages of one service: `page` renders a template of the service's own package.

    Every template knows `site`, `user` (who is signed in, or None), `csrf` (the text that a form
    sends along), `path` and `now`.
    """

    def __init__(
        self, title: str, package: str | None = None, menu: Sequence[MenuItem] = ()
    ) -> None:
        self.title = title
        self.menu = tuple(menu)
        packages = [package, _OWN] if package else [_OWN]
        self._templates = Environment(
            loader=ChoiceLoader([PackageLoader(name) for name in packages]),
            autoescape=True,
            undefined=_Missing,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.filters.update(FILTERS)
        self._templates.globals.update(site=self, static=static_url, session_key=session_key)

    def install(self, app: FastAPI, guards: Sequence[params.Depends] = ()) -> None:
        """Add the static files, the headers, the API's documentation, and pages for problems.

        `guards` are the dependencies that let someone read the documentation.
        """
        app.add_middleware(SecurityHeaders)
        app.mount("/static", _Static(directory=STATIC), name="static")
        app.include_router(api_docs_router(app), dependencies=guards)
        app.state.problem_page = self.problem_page

    def page(
        self, request: Request, template: str, status_code: int = 200, **context: Any
    ) -> HTMLResponse:
        """Render a page or a part of one."""
        state = request.state
        user = getattr(state, "principal", None)
        text = self._templates.get_template(template).render(
            user=user,
            csrf=getattr(state, "csrf", ""),
            path=request.url.path,
            now=now(),
            **context,
        )
        return HTMLResponse(text, status_code=status_code)

    def problem_page(self, request: Request, problem: Problem) -> Response | None:
        """Show a problem to someone with a browser; None for programs, which read JSON."""
        is_part = request.headers.get("HX-Request") == "true"
        if not is_part and "text/html" not in request.headers.get("Accept", ""):
            return None
        access = getattr(request.app.state, "access", None)
        if problem.status == HTTPStatus.UNAUTHORIZED and getattr(access, "has_sign_in", True):
            return self._to_sign_in(request, is_part=is_part)
        template = "problem_part.html" if is_part else "problem.html"
        response = self.page(request, template, problem.status, problem=problem)
        if is_part:
            response.headers["HX-Retarget"] = "#outcome"
            response.headers["HX-Reswap"] = "innerHTML"
            response.headers["HX-Reselect"] = ".alert"  # whatever the page wanted to select
        return response

    def visible_menu(self, user: Any) -> list[MenuItem]:
        """Tell which entries someone may use."""
        return [item for item in self.menu if user is not None and user.may(item.role)]

    def _to_sign_in(self, request: Request, *, is_part: bool) -> Response:
        if is_part:
            here = request.headers.get("HX-Current-URL", "/")
            path = "/" + here.split("//", 1)[-1].partition("/")[2]
            return Response(status_code=401, headers={"HX-Redirect": _sign_in_url(path)})
        back = request.url.path if request.method == "GET" else "/"
        if request.method == "GET" and request.url.query:
            back = f"{back}?{request.url.query}"
        return RedirectResponse(_sign_in_url(back), status_code=303)


def _sign_in_url(back: str) -> str:
    return SIGN_IN if back == "/" else f"{SIGN_IN}?next={quote(back, safe='')}"


@cache
def static_url(name: str) -> str:
    """Name where a browser gets a static file, under an address that changes with its content."""
    digest = hashlib.sha256((STATIC / name).read_bytes()).hexdigest()[:12]
    return f"/static/{name}?v={digest}"
