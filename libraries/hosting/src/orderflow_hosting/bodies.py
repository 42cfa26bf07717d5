"""Request bodies: limited in size, and read as strictly as events if they are JSON."""

from typing import Final

from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from orderflow_hosting.events import MOST_BYTES, NotJson, read_json
from orderflow_hosting.problems import FieldError, Problem, problem_response

_WITHOUT_BODY: Final = frozenset({"GET", "HEAD", "OPTIONS"})


class BodyCheck:
    """Refuses a body that is too large, or is not strict JSON although it is sent as JSON.

    The framework's own reader accepts `NaN` and keeps the last of two equal keys.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Check the body of one request, then pass the request on."""
        if scope["type"] != "http" or scope["method"] in _WITHOUT_BODY:
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive)
        try:
            body = await _read(request)
        except ClientDisconnect:
            return
        except Problem as problem:
            response = await problem_response(request, problem)
            await response(scope, receive, send)
            return
        await self._app(scope, _once(body, receive), send)


async def _read(request: Request) -> bytes:
    body = bytearray()
    if request.headers.get("content-length", "0").isdecimal():
        _check_size(int(request.headers.get("content-length", "0")))
    async for chunk in request.stream():
        body += chunk
        _check_size(len(body))
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if body and (media_type == "application/json" or media_type.endswith("+json")):
        try:
            read_json(bytes(body))
        except NotJson as error:
            fault = FieldError(field=error.place or "body", message=error.reason)
            detail = f"{fault.field}: {fault.message}"
            raise Problem(422, "INVALID_INPUT", detail, [fault]) from None
    return bytes(body)


def _check_size(size: int) -> None:
    if size > MOST_BYTES:
        raise Problem(413, "BODY_TOO_LARGE", f"a body may have {MOST_BYTES:,} bytes")


def _once(body: bytes, receive: Receive) -> Receive:
    """Return a body that was read already, then what follows it."""
    waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def next_message() -> Message:
        return waiting.pop() if waiting else await receive()

    return next_message
