"""Maps the expected failures of managing workflows to problem documents."""

from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, Final

from fastapi import Request, Response
from fastapi.routing import APIRoute
from pydantic import ValidationError

from orderflow_hosting.pages import not_a_cursor
from orderflow_hosting.problems import FieldError, Problem, ProblemDocument, invalid_input
from orderflow_workflow_runtime.ports import (
    CannotRerun,
    EngineUnavailable,
    InstanceDamaged,
    NoSuchInstance,
)
from orders.management.errors import (
    InstanceExists,
    InvalidInput,
    NotRunning,
    Protected,
    StillRunning,
    UnknownInstance,
    UnknownPosition,
    UnknownWorkflow,
)

MAX_BODY_BYTES: Final = 64 * 1024
"""The engine sends a whole history in one message of at most 4 MiB. A larger one is retried for
ever, and each attempt breaks the worker's connection, and thereby interrupts all workflows."""

_PROBLEMS: Final[dict[type[Exception], tuple[int, str]]] = {
    UnknownInstance: (404, "WORKFLOW_NOT_FOUND"),
    NoSuchInstance: (404, "WORKFLOW_NOT_FOUND"),
    UnknownWorkflow: (404, "WORKFLOW_NOT_FOUND"),
    InstanceExists: (409, "WORKFLOW_ALREADY_EXISTS"),
    NotRunning: (409, "WORKFLOW_NOT_RUNNING"),
    StillRunning: (409, "WORKFLOW_STILL_RUNNING"),
    Protected: (409, "WORKFLOW_PROTECTED"),
    TimeoutError: (504, "WORKFLOW_TIMEOUT"),
    InstanceDamaged: (409, "WORKFLOW_DAMAGED"),
    EngineUnavailable: (503, "SIDECAR_UNAVAILABLE"),
}


class ProblemRoute(APIRoute):
    """A route that maps the expected failures of managing workflows to problem documents."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the handler, with the size of the body checked first."""
        handle = super().get_route_handler()

        async def checked(request: Request) -> Response:
            with as_problems():
                await _check_size(request)
                return await handle(request)

        return checked


@contextmanager
def as_problems() -> Iterator[None]:
    """Map the expected failures of managing workflows to problems."""
    try:
        yield
    except InvalidInput as error:
        raise invalid("body", str(error)) from error
    except ValidationError as error:
        raise invalid_input(error.errors(include_url=False)) from error
    except CannotRerun as error:
        raise invalid("from_event", str(error)) from error
    except UnknownPosition as error:
        raise not_a_cursor() from error
    except tuple(_PROBLEMS) as error:
        status, code = next(known for kind, known in _PROBLEMS.items() if isinstance(error, kind))
        detail = f"{error.detail}: {error}" if isinstance(error, InstanceDamaged) else str(error)
        raise Problem(status, code, detail or "the timeout has passed") from error


async def _check_size(request: Request) -> None:
    length = request.headers.get("content-length", "")
    is_large = length.isdecimal() and int(length) > MAX_BODY_BYTES
    if is_large or len(await request.body()) > MAX_BODY_BYTES:
        raise invalid("body", f"is larger than {MAX_BODY_BYTES} bytes")


def problems(**meanings: str) -> dict[int | str, dict[str, Any]]:
    """Document the problems of a path, by their status: `_404="There is no such instance"`."""
    return {
        int(status.removeprefix("_")): {"model": ProblemDocument, "description": description}
        for status, description in meanings.items()
    }


def invalid(field: str, message: str) -> Problem:
    """Return the problem for an invalid field."""
    error = FieldError(field=field, message=message)
    return Problem(422, "INVALID_INPUT", f"{field}: {message}", [error])
