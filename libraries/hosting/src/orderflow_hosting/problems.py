"""Problems: expected failures with a stable code, as RFC 9457 documents or gRPC codes."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, cast

import grpc
import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, RedirectResponse, Response
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails
from starlette.exceptions import HTTPException
from starlette.routing import Match

from orderflow_hosting.local_paths import local_path, quoted

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

_GRPC_CODES = {
    400: grpc.StatusCode.INVALID_ARGUMENT,
    403: grpc.StatusCode.PERMISSION_DENIED,
    404: grpc.StatusCode.NOT_FOUND,
    409: grpc.StatusCode.FAILED_PRECONDITION,
    422: grpc.StatusCode.INVALID_ARGUMENT,
    503: grpc.StatusCode.UNAVAILABLE,
}

MOST_NAMED = 20
"""How many invalid fields a problem names: a large body may have 100,000 of them."""
_NOT_AN_OBJECT = ("model_type", "model_attributes_type")
"""The types of that error in an event and in a request, whose messages name Python's types."""
HTTP_BAD_REQUEST = 400
HTTP_NOT_FOUND = 404

_CHALLENGES: Mapping[int, Mapping[str, str]] = {401: {"WWW-Authenticate": "Bearer"}}

_TITLES = {
    "INVALID_INPUT": "The input is not valid",
    "NOT_FOUND": "Not found",
}


class FieldError(BaseModel):
    """What is wrong with one field of the input."""

    field: str
    message: str


class ProblemDocument(BaseModel):
    """A problem as RFC 9457 writes it, with a stable `code` for programs."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    code: str
    errors: list[FieldError] | None = None


class Problem(Exception):
    """An expected failure: HTTP status, stable code and a sentence for people."""

    def __init__(
        self, status: int, code: str, detail: str, errors: Sequence[FieldError] = ()
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.errors = list(errors)

    @property
    def grpc_code(self) -> grpc.StatusCode:
        """The gRPC status of the same meaning."""
        return _GRPC_CODES.get(self.status, grpc.StatusCode.UNKNOWN)

    def document(self) -> dict[str, Any]:
        """Return the body of the HTTP response."""
        return ProblemDocument(
            title=_TITLES.get(self.code, self.code.replace("_", " ").capitalize()),
            status=self.status,
            detail=self.detail,
            code=self.code,
            errors=self.errors or None,
        ).model_dump(exclude_none=True)


class Unavailable(Exception):
    """A dependency of the service does not respond at the moment; a retry may succeed.

    `code` and `detail` are sent to HTTP clients; the message may name hosts and is only logged.
    """

    code: ClassVar = "UNAVAILABLE"
    detail: ClassVar = "a dependency of this service does not respond at the moment"


def invalid_input(errors: Sequence[ErrorDetails] | Sequence[Any], skip: int = 0) -> Problem:
    """Turn validation errors into one problem that names each field, up to `MOST_NAMED`.

    `skip` is how many leading parts of a location to leave out, such as FastAPI's `body`.
    """
    named = errors[:MOST_NAMED]
    fields = [FieldError(field=field_of(error, skip), message=message_of(error)) for error in named]
    detail = "; ".join(f"{field.field}: {field.message}" for field in fields)
    if len(errors) > MOST_NAMED:
        detail += f"; and {len(errors) - MOST_NAMED:,} more"
    return Problem(422, "INVALID_INPUT", detail, fields)


def field_of(error: Mapping[str, Any] | ErrorDetails, skip: int) -> str:
    """Return which field is wrong, without the first `skip` parts of its location."""
    if error["type"] == "json_invalid":
        return "body"  # its location is a position in the text, not a field
    return ".".join(str(part) for part in error["loc"][skip:]) or "body"


def message_of(error: Mapping[str, Any] | ErrorDetails) -> str:
    """Return what is wrong, without the names of our classes."""
    return "must be an object" if error["type"] in _NOT_AN_OBJECT else error["msg"]


def describe(error: ValidationError) -> str:
    """Return in one line which fields are wrong, and why."""
    return invalid_input(error.errors(include_url=False, include_input=False)).detail


def documented(meanings: Mapping[int, str]) -> dict[int | str, dict[str, Any]]:
    """Describe the problems that a route may return, by status, for its OpenAPI document."""
    return {
        status: {"model": ProblemDocument, "description": meaning}
        for status, meaning in meanings.items()
    }


def common() -> dict[int | str, dict[str, Any]]:
    """Describe the problems that any route of a service may return."""
    return documented(
        {
            401: "The caller has neither signed in nor sent a valid token",
            403: "The caller is not allowed to do this",
            413: "The body is too large",
            421: "The service does not know the host name of the request",
            422: "The input is not valid",
            503: "Temporarily unavailable",
        }
    )


def install(app: FastAPI) -> None:
    """Answer every failure of this application with a problem document.

    An application with pages sets `app.state.problem_page`, which renders problems for browsers.
    """

    async def answer(request: Request, error: Exception) -> Response:
        problem = cast("Problem", error)
        return await problem_response(request, problem)

    async def answer_invalid(request: Request, error: Exception) -> Response:
        problem = invalid_input(cast("RequestValidationError", error).errors(), skip=1)
        return await problem_response(request, problem)

    async def answer_http(request: Request, error: Exception) -> Response:
        failure = cast("HTTPException", error)
        if failure.status_code == HTTP_BAD_REQUEST:  # the framework uses it for an unreadable body
            unreadable = FieldError(field="body", message="cannot be read")
            unread = Problem(422, "INVALID_INPUT", "body: cannot be read", [unreadable])
            return await problem_response(request, unread)
        code = {404: "NOT_FOUND", 405: "METHOD_NOT_ALLOWED"}.get(failure.status_code, "HTTP_ERROR")
        problem = Problem(failure.status_code, code, str(failure.detail))
        if failure.status_code == HTTP_NOT_FOUND and (path := path_without_slash(request)):
            if request.method in {"GET", "HEAD"} and _wants_page(request):
                return RedirectResponse(path, status_code=307)
            problem = Problem(404, code, f"the path does not end with a slash: use {path}")
        return await problem_response(request, problem, failure.headers)

    async def answer_unexpected(request: Request, error: Exception) -> Response:
        log.error("http_request_failed", path=request.url.path, exc_info=error)
        problem = Problem(500, "INTERNAL_ERROR", "something went wrong; the log has the details")
        return await problem_response(request, problem)

    async def answer_unavailable(request: Request, error: Exception) -> Response:
        unavailable = cast("Unavailable", error)
        log.warning("http_request_unavailable", path=request.url.path, reason=str(unavailable))
        return await problem_response(request, Problem(503, unavailable.code, unavailable.detail))

    app.router.redirect_slashes = False  # it redirects to http:// behind a gateway with TLS
    app.add_exception_handler(Problem, answer)
    app.add_exception_handler(Unavailable, answer_unavailable)
    app.add_exception_handler(RequestValidationError, answer_invalid)
    app.add_exception_handler(HTTPException, answer_http)
    app.add_exception_handler(Exception, answer_unexpected)


def path_without_slash(request: Request) -> str | None:
    """Return the path and query without the final slash, if a route serves that path."""
    path = request.scope["path"].rstrip("/")
    target = quoted(path)
    if not request.scope["path"].endswith("/") or target in {"", "/"}:
        return None
    if local_path(target) != target:
        return None
    scope = {**request.scope, "path": path}
    routes = cast("FastAPI", request.app).router.routes
    if all(route.matches(scope)[0] is Match.NONE for route in routes):
        return None
    query = request.scope.get("query_string", b"").decode("latin-1")
    return f"{target}?{query}" if query else target


def _wants_page(request: Request) -> bool:
    return "text/html" in request.headers.get("Accept", "")


async def problem_response(
    request: Request, problem: Problem, headers: Mapping[str, str] | None = None
) -> Response:
    """Answer a request with a problem, as a page if the application has pages and one is wanted."""
    request.state.problem_code = problem.code  # for the audit trail
    as_page = getattr(request.app.state, "problem_page", None)
    page: Response | None = await as_page(request, problem) if as_page else None
    if page is not None:
        page.headers.update(headers or {})
        return page
    return JSONResponse(
        problem.document(),
        status_code=problem.status,
        headers={**(headers or {}), **_CHALLENGES.get(problem.status, {})},
        media_type="application/problem+json",
    )
