"""A service's site: templates, menu, static files, and error pages."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlsplit, urlunsplit

from fastapi import FastAPI, Request, params
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from orderflow_contracts.fields import Clock, now
from orderflow_hosting.hosts import Host, NotAHost
from orderflow_hosting.local_paths import local_path, path_of
from orderflow_hosting.pages_again import PageAgain, is_for_programs, page_of_form
from orderflow_hosting.problems import Problem
from orderflow_hosting.refused_forms import RefusedForm, refused_form
from orderflow_hosting.web.api_docs import api_docs_router
from orderflow_hosting.web.changes import session_key
from orderflow_hosting.web.filters import FILTERS
from orderflow_hosting.web.headers import SecurityHeaders

_OWN: Final = "orderflow_hosting.web"
STATIC: Final = Path(__file__).parent / "static"
SIGN_IN: Final = "/sign-in"
LONGEST_IN_A_LINK: Final = 1500
FROM_ELSEWHERE: Final = frozenset({"CROSS_SITE", "HOST_NOT_KNOWN"})
WHOLE_PAGE: Final = {
    "HX-Retarget": "body",
    "HX-Reswap": "innerHTML",
    "HX-Reselect": ".skip-link, .site-header, #connection, #content",
}
"""The headers that make htmx replace the current page with the whole response."""

TONES: Final[Mapping[str, str]] = {"resent": "good", "done": "good", "waiting": "wait"}
"""The colours of the statuses that every site shows, as classes of `.badge`."""
NO_TONES: Final[Mapping[str, str]] = {}

A_YEAR_SECONDS: Final = 365 * 24 * 3600


class _Missing(StrictUndefined):
    """A value that was not passed to a template: it can be tested, and fails where it is shown."""

    def __bool__(self) -> bool:  # type: ignore[override] # it must not fail here
        return False


@dataclass(frozen=True)
class MenuItem:
    """An entry of a site's menu, for people with the role."""

    label: str
    path: str
    role: str = "viewer"


class _Static(StaticFiles):
    """Files whose URL changes with their content, so that a browser may cache them."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        if response.status_code == HTTPStatus.OK and b"v=" in scope.get("query_string", b""):
            lasting = f"public, max-age={A_YEAR_SECONDS}, immutable"
            response.headers["Cache-Control"] = lasting
        return response


class Site:
    """The pages of one service: `page` renders a template of the service's own package.

    `tones` gives each of the service's statuses a colour: `good`, `busy`, `wait`, `quiet`, `bad` or
    `alarm`; one without is `quiet`.

    Every template knows `site`, `user` (who is signed in, or None), `csrf` (the token that forms
    send), `path`, `link` (which adapts a link to another site: see `link_for`) and `now`.
    """

    def __init__(
        self,
        title: str,
        package: str | None = None,
        menu: Sequence[MenuItem] = (),
        tones: Mapping[str, str] = NO_TONES,
        clock: Clock = now,
    ) -> None:
        self._clock = clock
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
        self._templates.globals.update(
            site=self, static=static_url, session_key=session_key, tones={**TONES, **tones}
        )

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
            at=path_of(request),
            refused=refused_form(request),
            refusal=getattr(state, "refusal", None),
            link=partial(link_for, request),
            now=self._clock(),
            **context,
        )
        return HTMLResponse(text, status_code=status_code)

    async def problem_page(self, request: Request, problem: Problem) -> Response | None:
        """Return the error page for browsers; None for programs, which get JSON."""
        is_part = request.headers.get("HX-Request") == "true"
        if not is_part and "text/html" not in request.headers.get("Accept", ""):
            return None
        if request.method == "POST" and request.url.path == SIGN_IN:
            return await self._sign_in_again(request, problem)
        sent = await _sent_form(request, problem)
        access = getattr(request.app.state, "access", None)
        if problem.status == HTTPStatus.UNAUTHORIZED and getattr(access, "has_sign_in", True):
            return self._to_sign_in(request, sent, is_part=is_part)
        is_stale = problem.code == "CSRF_FAILED"
        if sent is not None and (
            is_stale or (problem.status == HTTPStatus.UNPROCESSABLE_ENTITY and not is_part)
        ):
            state = {"refused": sent, "refusal": problem}
            page = page_of_form(request.app, sent.action)
            return PageAgain(page, state, problem.status, WHOLE_PAGE if is_part else None)
        is_worth_showing = sent is not None and (
            sent.typed or sent.is_too_long or problem.status >= HTTPStatus.INTERNAL_SERVER_ERROR
        )
        if is_worth_showing and not is_part:
            request.state.refused = sent
        template = "problem_part.html" if is_part else "problem.html"
        response = self.page(request, template, problem.status, problem=problem)
        if is_part:
            response.headers["HX-Retarget"] = "#outcome"
            response.headers["HX-Reswap"] = "innerHTML"
            response.headers["HX-Reselect"] = ".alert"  # overrides what the page selects
        return response

    def visible_menu(self, user: Any) -> list[MenuItem]:
        """Return the entries of the menu that a user may use."""
        return [item for item in self.menu if user is not None and user.may(item.role)]

    def _to_sign_in(self, request: Request, sent: RefusedForm | None, *, is_part: bool) -> Response:
        if sent is not None:
            onward = page_of_form(request.app, sent.action)
            page = self._sign_in_page(request, HTTPStatus.UNAUTHORIZED, onward, sent)
            page.headers.update(WHOLE_PAGE if is_part else {})
            return page
        if is_part:
            here = request.headers.get("HX-Current-URL", "/")
            path = "/" + here.split("//", 1)[-1].partition("/")[2]
            return Response(status_code=401, headers={"HX-Redirect": _sign_in_url(path)})
        back = path_of(request) if request.method == "GET" else "/"
        if len(back) > LONGEST_IN_A_LINK:
            return self._sign_in_page(request, HTTPStatus.UNAUTHORIZED, back)
        return RedirectResponse(_sign_in_url(back), status_code=303)

    def _sign_in_page(
        self,
        request: Request,
        status: int,
        onward: str,
        sent: RefusedForm | None = None,
        wrong: str | None = None,
        name: str = "",
    ) -> Response:
        context = {"name": name, "next": onward, "wrong": wrong, "carried": sent}
        return self.page(request, "sign-in.html", status, **context)

    async def _sign_in_again(self, request: Request, problem: Problem) -> Response:
        """Show the sign-in page again after a failure, with the page it leads to."""
        try:
            form = await request.form()
        except HTTPException:  # the problem is that it cannot be read
            form = FormData()
        name, onward, carried = (str(form.get(key, "")) for key in ("name", "next", "refused"))
        sent = RefusedForm.load(carried)
        wrong = f"{problem.detail[:1].upper()}{problem.detail[1:]}."
        return self._sign_in_page(
            request, problem.status, local_path(onward), sent, wrong, name.strip()
        )


async def _sent_form(request: Request, problem: Problem) -> RefusedForm | None:
    """Return the form that a page of this site sent; a form of another site is dropped."""
    if problem.code in FROM_ELSEWHERE or request.url.path.startswith("/sign-"):
        return None
    if is_for_programs(request):
        return None
    sent: RefusedForm | None = getattr(request.state, "sent_form", None)
    return sent or await RefusedForm.of(request)


def link_for(request: Request, url: str) -> str:
    """Give a link to a local site the host name by which this browser reaches the machine.

    A session at `localhost` is unknown at `127.0.0.1`. All other links stay as they are.
    """
    parts = urlsplit(url)
    try:
        here, there = Host.read(request.headers.get("host", "")), Host.read(parts.netloc)
    except NotAHost:
        return url
    if not (here.is_loopback and there.is_loopback):
        return url
    return urlunsplit(parts._replace(netloc=str(Host(here.name, there.port))))


def _sign_in_url(back: str) -> str:
    return SIGN_IN if back == "/" else f"{SIGN_IN}?next={quote(back, safe='')}"


@cache
def static_url(name: str) -> str:
    """Return the URL of a static file, which changes with its content."""
    digest = hashlib.sha256((STATIC / name).read_bytes()).hexdigest()[:12]
    return f"/static/{name}?v={digest}"
