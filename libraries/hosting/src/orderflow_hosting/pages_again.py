"""The page of a refused form, shown again with what was typed."""

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import unquote

from fastapi import FastAPI, Request
from fastapi.responses import Response
from starlette.datastructures import Headers, MutableHeaders
from starlette.routing import Match
from starlette.types import Message, Receive, Scope, Send

from orderflow_hosting.local_paths import local_path, quoted

MAX_REDIRECTS: Final = 3
FIRST_REDIRECT: Final = 300
FIRST_FAILURE: Final = 400


def page_of_form(app: FastAPI, action: str) -> str:
    """Return the page that has a form: the nearest path above its action that serves GET."""
    path = unquote(action)
    while path.strip("/"):
        scope = {"type": "http", "method": "GET", "path": path, "headers": [], "root_path": ""}
        if any(route.matches(scope)[0] is Match.FULL for route in app.router.routes):
            return quoted(path)
        path = path.rpartition("/")[0]
    return "/"


def is_for_programs(request: Request) -> bool:
    """Return whether a route of the API refused a request: no page has a form for it."""
    is_documented: bool = getattr(request.scope.get("route"), "include_in_schema", False)
    return is_documented


class PageAgain(Response):
    """The page of a refused form, rendered again with what was typed; it submits nothing."""

    def __init__(
        self,
        path: str,
        state: Mapping[str, Any],
        status: int | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(headers=headers)
        self._path = path
        self._state = state
        self._status = status
        self._more = headers or {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 # the form was read
        """Let the application serve a GET of the page in place of the form's POST."""
        path = self._path
        for left in reversed(range(MAX_REDIRECTS)):
            answer = _Answer(send, self._status, self._more, follows=left > 0)
            await scope["app"](self._page_request(scope, path), _empty_body, answer.send)
            if answer.location is None:
                return
            path = local_path(answer.location)

    def _page_request(self, scope: Scope, path: str) -> Scope:
        plain, _, query = path.partition("?")
        dropped = {b"content-length", b"content-type", b"hx-request", b"accept"}
        headers = [(name, value) for name, value in scope["headers"] if name not in dropped]
        copied = ("type", "asgi", "http_version", "scheme", "server", "client")
        return {
            **{key: scope[key] for key in copied if key in scope},
            "method": "GET",
            "path": unquote(plain),
            "raw_path": plain.encode(),
            "query_string": query.encode(),
            "root_path": scope.get("root_path", ""),
            "headers": [*headers, (b"accept", b"text/html")],
            "state": dict(self._state),
        }


class _Answer:
    """Sends a page with the status of the refusal, and records the target of a redirect.

    The last redirect is passed on to the browser, so that there is always a response.
    """

    def __init__(
        self, send: Send, status: int | None, headers: Mapping[str, str], *, follows: bool
    ) -> None:
        self.location: str | None = None
        self._follows = follows
        self._send = send
        self._status = status
        self._headers = headers

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            if FIRST_REDIRECT <= message["status"] < FIRST_FAILURE:
                if self._follows:
                    self.location = Headers(scope=message).get("location")
            elif self._status is not None:
                message["status"] = self._status
            MutableHeaders(scope=message).update(self._headers)
        if self.location is None:
            await self._send(message)


async def _empty_body() -> Message:
    return {"type": "http.request", "body": b"", "more_body": False}
