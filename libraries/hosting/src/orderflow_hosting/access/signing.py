"""Signing in with a name and a password, and signing out."""

import hmac
import math
from functools import partial
from typing import Annotated, Any, Final, Protocol

import structlog
from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response
from sqlalchemy import Connection

from orderflow_hosting.access.audit import Audit
from orderflow_hosting.access.passwords import LONGEST_PASSWORD, Passwords
from orderflow_hosting.access.principal import Principal
from orderflow_hosting.access.reader import AccessReader
from orderflow_hosting.access.sessions import Session, Sessions, new_secret
from orderflow_hosting.access.throttle import Throttle
from orderflow_hosting.database import Database
from orderflow_hosting.local_paths import local_path
from orderflow_hosting.pages_again import PageAgain, page_of_form
from orderflow_hosting.problems import Problem
from orderflow_hosting.refused_forms import RefusedForm

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

SIGN_IN: Final = "/sign-in"
LONGEST_NEXT: Final = 64_000
LONGEST_FORM: Final = 2_000_000
LONGEST_IN_SECONDS: Final = 120
WRONG: Final = "The name or the password is wrong."

TypedName = Annotated[str, Form(max_length=200)]
TypedPassword = Annotated[str, Form(max_length=LONGEST_PASSWORD)]
TypedNext = Annotated[str, Form(alias="next", max_length=LONGEST_NEXT)]
CarriedForm = Annotated[str, Form(alias="refused", max_length=LONGEST_FORM)]


class Show(Protocol):
    """Renders a page, as `Site.page` does."""

    def __call__(
        self, request: Request, template: str, status_code: int = 200, **context: Any
    ) -> Response:
        """Return the page."""
        ...


class TooManyAttempts(Exception):
    """There were too many wrong passwords; the next attempt is allowed after `seconds`."""

    def __init__(self, seconds: float) -> None:
        self.seconds = math.ceil(seconds)
        super().__init__(f"too many attempts: wait {self.seconds} seconds")


class Signing:
    """Signs people in with their names and passwords, and signs them out."""

    def __init__(
        self,
        database: Database,
        reader: AccessReader,
        sessions: Sessions,
        throttle: Throttle,
        audit: Audit,
    ) -> None:
        self._database = database
        self._reader = reader
        self._sessions = sessions
        self._throttle = throttle
        self._audit = audit
        self._passwords = Passwords()

    async def sign_in(self, name: str, password: str, address: str) -> str | None:
        """Return the cookie of a new session, or None if name or password is wrong.

        Raises `TooManyAttempts`.
        """
        wait = await self._throttle.begin(name, address)
        if wait > 0:
            log.warning("sign_in_refused", why="too many attempts", address=address)
            raise TooManyAttempts(wait)
        user = self._reader.user(name)
        stored_hash = user.password_hash if user is not None else None
        if not await self._passwords.is_right(stored_hash, password):
            log.warning("sign_in_refused", why="wrong name or password", address=address)
            return None
        return await self._begin(name, stored_hash, address)

    async def _begin(self, name: str, password_hash: str | None, address: str) -> str:
        cookie, csrf = new_secret(), new_secret()

        def work(connection: Connection) -> None:
            self._throttle.forget_within(connection, name)
            self._sessions.open_within(connection, cookie, name, "session", csrf, password_hash)
            self._enter(connection, name, "session", "sign-in", address)

        await self._database.write(work)
        log.info("signed_in", actor=name, address=address)
        return cookie

    async def sign_out(self, session: Session, address: str) -> None:
        """End a session."""

        def work(connection: Connection) -> None:
            self._sessions.end_within(connection, session.digest)
            self._enter(connection, session.name, session.via, "sign-out", address)

        await self._database.write(work)
        log.info("signed_out", actor=session.name)

    def _enter(
        self, connection: Connection, name: str, via: str, action: str, address: str
    ) -> None:
        self._audit.entry_within(
            connection,
            actor=name,
            via=via,
            action=action,
            subject=name,
            details={"address": address},
        )


def sign_in_router(signing: Signing, show: Show) -> APIRouter:
    """Serve the sign-in page, and the forms to sign in and out."""
    router = APIRouter(include_in_schema=False)
    _add_sign_in(router, signing, show)
    _add_sign_out(router, signing)
    return router


def _add_sign_in(router: APIRouter, signing: Signing, show: Show) -> None:
    """Serve the page, and the form that it has."""
    page = partial(_sign_in_page, show)

    @router.get(SIGN_IN)
    async def sign_in_page(request: Request) -> Response:
        onward = local_path(request.query_params.get("next"))
        person: Principal | None = request.state.principal
        if person is not None:
            return RedirectResponse(onward, status_code=303)
        return page(request, 200, "", onward, None)

    @router.post(SIGN_IN)
    async def sign_in(
        request: Request,
        name: TypedName = "",
        password: TypedPassword = "",
        target: TypedNext = "/",
        carried: CarriedForm = "",
    ) -> Response:
        onward, name = local_path(target), name.strip()
        refused = RefusedForm.load(carried)
        try:
            cookie = await signing.sign_in(name, password, address_of(request))
        except TooManyAttempts as refusal:
            response = page(request, 429, name, onward, _wait(refusal.seconds), refused)
            response.headers["Retry-After"] = str(refusal.seconds)
            return response
        if cookie is None:
            return page(request, 401, name, onward, WRONG, refused)
        return _continue(request, cookie, onward, refused)


def _add_sign_out(router: APIRouter, signing: Signing) -> None:
    """Serve the button of every page."""

    @router.post("/sign-out")
    async def sign_out(
        request: Request, csrf: Annotated[str, Form(max_length=200)] = ""
    ) -> Response:
        session: Session | None = request.state.identity.session
        if session is not None:
            if not hmac.compare_digest(csrf.encode(errors="replace"), session.csrf.encode()):
                raise Problem(403, "CSRF_FAILED", "this form is from another session")
            await signing.sign_out(session, address_of(request))
        request.state.new_session = ""
        return RedirectResponse(SIGN_IN, status_code=303)


def _sign_in_page(
    show: Show,
    request: Request,
    status: int,
    name: str,
    onward: str,
    wrong: str | None,
    refused: RefusedForm | None = None,
) -> Response:
    context = {"name": name, "next": onward, "wrong": wrong, "carried": refused}
    return show(request, "sign-in.html", status, **context)


def _continue(request: Request, cookie: str, onward: str, refused: RefusedForm | None) -> Response:
    """Redirect to the requested page, or show the page of the refused form again."""
    if refused is not None:
        state = {"refused": refused, "new_session": cookie}
        return PageAgain(page_of_form(request.app, refused.action), state)
    request.state.new_session = cookie
    return RedirectResponse(onward, status_code=303)


def address_of(request: Request) -> str:
    """Return the address of the connection's other end: the client, or a proxy."""
    return request.client.host[:64] if request.client is not None else "unknown"


def _wait(seconds: int) -> str:
    is_long = seconds > LONGEST_IN_SECONDS
    pause = f"{math.ceil(seconds / 60)} minutes" if is_long else f"{seconds} seconds"
    return f"Too many attempts. Wait {pause}, then try again."
