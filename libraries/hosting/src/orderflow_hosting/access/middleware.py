"""The checks that every request passes before it is routed."""

from collections.abc import Awaitable, Callable
from typing import Final, cast

import structlog
from fastapi import FastAPI
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from orderflow_hosting.access.audit import DONE, Audit
from orderflow_hosting.access.cookies import SessionCookie
from orderflow_hosting.access.identity import Identities, Identity
from orderflow_hosting.access.origins import Origins
from orderflow_hosting.problems import Problem

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

HEALTH: Final = frozenset({"/healthz", "/readyz"})
SIGNING: Final = frozenset({"/sign-in", "/sign-out"})
STATIC: Final = "/static/"
FIRST_FAILURE: Final = 400
SERVER_FAILURE: Final = 500

_Handler = Callable[[Request, Exception], Awaitable[Response]]


def is_public(path: str) -> bool:
    """Return whether a path is open to everybody."""
    return path in HEALTH or path in SIGNING or path.startswith(STATIC)


class AccessMiddleware:
    """Checks host and site, identifies the caller, and refuses unknown callers.

    The guard of the route checks the rest. On the response, this middleware sets the cookie of a
    new session and completes the audit entry that a guard began.
    """

    def __init__(
        self,
        app: ASGIApp,
        origins: Origins,
        identities: Identities,
        audit: Audit | None,
        cookie: SessionCookie,
    ) -> None:
        self._app = app
        self._origins = origins
        self._identities = identities
        self._audit = audit
        self._cookie = cookie

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive, send)
        state = request.state
        state.principal, state.csrf, state.identity = None, "", Identity()
        try:
            await self._check(request)
        except Exception as error:  # noqa: BLE001 # the application's own handlers respond to it
            response = await _answer(request, error)
            await response(scope, receive, send)
            return
        await self._forward(request, send)

    async def _check(self, request: Request) -> None:
        path: str = request.scope["path"]
        self._origins.check(request.method, path, request.headers, HEALTH)
        if is_public(path) and path not in SIGNING:
            return
        identity = await self._identities.of(request)
        if not identity.is_somebody and not is_public(path):
            raise Problem(401, "SIGN_IN_NEEDED", "sign in, or send a token")
        request.state.identity = identity
        request.state.principal = identity.person
        request.state.csrf = identity.csrf

    async def _forward(self, request: Request, send: Send) -> None:
        async def send_response(message: Message) -> None:
            if message["type"] == "http.response.start":
                await self._close_entry(request, message["status"])
                cookie = getattr(request.state, "new_session", None)
                if cookie is not None:
                    MutableHeaders(scope=message).append(
                        "Set-Cookie", self._cookie.write(request, cookie)
                    )
            await send(message)

        try:
            await self._app(request.scope, request.receive, send_response)
        except Exception:
            request.state.problem_code = "INTERNAL_ERROR"
            await self._close_entry(request, SERVER_FAILURE)
            raise

    async def _close_entry(self, request: Request, status: int) -> None:
        state = request.state
        number: int | None = getattr(state, "audit_number", None)
        if number is None or self._audit is None:
            return
        state.audit_number = None
        outcome = getattr(state, "problem_code", None)
        if outcome is None:
            outcome = DONE if status < FIRST_FAILURE else f"HTTP_{status}"
        try:
            await self._audit.end(number, outcome, getattr(state, "audit_subject", None))
        except Exception:  # the action is done; the missing outcome shows this
            log.exception("audit_outcome_lost", number=number, outcome=outcome)


async def _answer(request: Request, error: Exception) -> Response:
    """Respond as the application does when a route fails."""
    app = cast("FastAPI", request.app)
    for kind in type(error).__mro__:
        handler = app.exception_handlers.get(kind)
        if handler is not None:
            return await cast("_Handler", handler)(request, error)
    raise error
