"""The management of workflows over HTTP."""

import json
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Annotated, Any, Final

from fastapi import APIRouter, Body, Path, Query, Request, Response
from fastapi.routing import APIRoute
from pydantic import AfterValidator, BaseModel, ValidationError

from orderflow_contracts.numbers import TypedDecimal, TypedNumber
from orderflow_hosting.access import Role, changes, reads
from orderflow_hosting.pages import After, Limit, Page, decode_cursor, encode_cursor
from orderflow_hosting.problems import FieldError, Problem, ProblemDocument, invalid_input
from orderflow_workflow_runtime.instances import (
    HistoryEvent,
    Instance,
    RuntimeStatus,
    parse_duration,
)
from orderflow_workflow_runtime.ports import CannotRerun, EngineUnavailable, NoSuchInstance
from orders.management.service import (
    InstanceExists,
    InvalidInput,
    Management,
    NotRunning,
    Protected,
    StillRunning,
    UnknownInstance,
    UnknownWorkflow,
)

LONGEST_WAIT_SECONDS: Final = 300
INSTANCE_ID: Final = r"^[A-Za-z0-9_-]{1,100}$"
MOST_BODY_BYTES: Final = 64 * 1024
"""The engine sends a history whole, in a message of at most 4 MiB. One that does not fit is tried
again and again, and each time breaks the worker's connection, hence all other workflows."""

InstanceId = Annotated[
    str, Path(description="The id of a workflow instance", examples=["iwf-demo"])
]
NewInstanceId = Annotated[
    str | None,
    Query(pattern=INSTANCE_ID, description="The id to give it; one is made if none is named"),
]


def read_payload(value: Any) -> Any:
    """Read JSON that was sent under another content type, and refuse what cannot be passed on."""
    try:
        read = json.loads(value) if isinstance(value, bytes) else value
        json.dumps(read, ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, RecursionError):
        raise ValueError("must be JSON") from None
    return read


Payload = AfterValidator(read_payload)

_PROBLEMS: Final[dict[type[Exception], tuple[int, str]]] = {
    UnknownInstance: (404, "WORKFLOW_NOT_FOUND"),
    NoSuchInstance: (404, "WORKFLOW_NOT_FOUND"),
    UnknownWorkflow: (404, "WORKFLOW_NOT_FOUND"),
    InstanceExists: (409, "WORKFLOW_ALREADY_EXISTS"),
    NotRunning: (409, "WORKFLOW_NOT_RUNNING"),
    StillRunning: (409, "WORKFLOW_STILL_RUNNING"),
    Protected: (409, "WORKFLOW_PROTECTED"),
    TimeoutError: (504, "WORKFLOW_TIMEOUT"),
    EngineUnavailable: (503, "SIDECAR_UNAVAILABLE"),
}


class Started(BaseModel):
    """An instance was started."""

    instance_id: str
    message: str


class Done(BaseModel):
    """What was asked is done or under way."""

    message: str


class Purged(Done):
    """So many instances were forgotten."""

    purged: int


class _ProblemRoute(APIRoute):
    """Tells the expected failures of managing workflows as problems."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def told(request: Request) -> Response:
            with as_problems():
                await _check_size(request)
                return await handle(request)

        return told


@contextmanager
def as_problems() -> Iterator[None]:
    """Tell the expected failures of managing workflows as problems."""
    try:
        yield
    except InvalidInput as error:
        raise _invalid("body", str(error)) from error
    except ValidationError as error:
        raise invalid_input(error.errors(include_url=False)) from error
    except CannotRerun as error:
        raise _invalid("from_event", str(error)) from error
    except tuple(_PROBLEMS) as error:
        status, code = next(told for kind, told in _PROBLEMS.items() if isinstance(error, kind))
        raise Problem(status, code, str(error) or "the time ran out") from error


async def _check_size(request: Request) -> None:
    length = request.headers.get("content-length", "")
    is_large = length.isdecimal() and int(length) > MOST_BODY_BYTES
    if is_large or len(await request.body()) > MOST_BODY_BYTES:
        raise _invalid("body", f"is larger than {MOST_BODY_BYTES} bytes")


def _problems(**told: str) -> dict[int | str, dict[str, Any]]:
    return {
        int(status.removeprefix("_")): {"model": ProblemDocument, "description": description}
        for status, description in told.items()
    }


_MISSING = _problems(_404="There is no such instance")
_FINISHED = _problems(_404="There is no such instance", _409="It has finished, or is an order's")


def workflow_router(management: Management) -> APIRouter:  # noqa: C901 # a list of paths
    """Serve the management of workflows."""
    router = APIRouter(prefix="/workflows", tags=["workflows"], route_class=_ProblemRoute)

    @router.post(
        "/start/{suffix}",
        status_code=202,
        summary="Start interactive_hello_workflow as iwf-<suffix>",
        responses=_problems(_409="The id is taken"),
        dependencies=[changes(Role.OPERATOR, "workflow.start")],
    )
    async def start_hello(
        suffix: Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{1,96}$", examples=["demo"])],
        user_name: Annotated[str, Query(max_length=200, description="Whom to greet")] = "User",
    ) -> Started:
        instance_id = await management.start(
            "interactive_hello_workflow", f"iwf-{suffix}", user_name
        )
        return Started(instance_id=instance_id, message="Workflow scheduled successfully")

    @router.post(
        "/purge",
        status_code=202,
        summary="Forget all instances that finished longer ago than an age",
        dependencies=[changes(Role.OPERATOR, "workflow.purge")],
    )
    async def purge_all(
        older_than: Annotated[str, Query(description="An age: 720h, 30m, 7d", examples=["720h"])],
    ) -> Purged:
        try:
            age = parse_duration(older_than)
        except ValueError as error:
            raise _invalid("older_than", str(error)) from error
        purged = await management.purge_older_than(age)
        return Purged(message=f"{purged} workflow instances purged", purged=purged)

    @router.post(
        "/{workflow_name}/start",
        status_code=202,
        summary="Start a workflow by its name; the body is its input",
        responses=_problems(
            _404="There is no such workflow", _409="The id is taken, or orders start it alone"
        ),
        dependencies=[changes(Role.OPERATOR, "workflow.start")],
    )
    async def start(
        workflow_name: Annotated[str, Path(examples=["never_ending_workflow"])],
        instance_id: NewInstanceId = None,
        replace: Annotated[  # noqa: FBT002 # a query parameter has a name
            bool, Query(description="Let a finished instance of this id give way")
        ] = False,
        payload: Annotated[
            Any,
            Payload,
            Body(
                description="The input: a number, a name, or a task",
                examples=[0, {"task_id": "task-1", "title": "Pick 11 cars", "assignee": "ann"}],
            ),
        ] = None,
    ) -> Started:
        started = await management.start(workflow_name, instance_id, payload, replace=replace)
        return Started(instance_id=started, message="Workflow scheduled successfully")

    @router.get("", summary="List instances, by their ids", dependencies=[reads()])
    async def list_instances(
        status: RuntimeStatus | None = None,
        name: Annotated[str | None, Query(description="Of this workflow only")] = None,
        limit: Limit = 100,
        after: After = None,
    ) -> Page[Instance]:
        known = decode_cursor(after) if after is not None else None
        instances, last = await management.page(status, name, limit, known)
        return Page(items=instances, next=encode_cursor(last) if last is not None else None)

    @router.get(
        "/{instance_id}/status",
        summary="Read an instance",
        responses=_MISSING,
        dependencies=[reads()],
    )
    async def status(instance_id: InstanceId) -> Instance:
        return await management.status(instance_id)

    @router.get(
        "/{instance_id}/history",
        summary="Read what happened",
        responses=_MISSING,
        dependencies=[reads()],
    )
    async def history(instance_id: InstanceId) -> Page[HistoryEvent]:
        return Page(items=await management.history(instance_id))

    @router.get(
        "/{instance_id}/wait",
        summary="Wait until an instance has finished, and read it",
        responses=_problems(_404="There is no such instance", _504="The time ran out"),
        dependencies=[reads()],
    )
    async def wait(
        instance_id: InstanceId,
        timeout_seconds: Annotated[TypedDecimal, Query(gt=0, le=LONGEST_WAIT_SECONDS)] = 30,
    ) -> Instance:
        return await management.wait(instance_id, timeout_seconds)

    def offer(verb: str, summary: str, act: Callable[[str], Awaitable[None]], told: str) -> None:
        @router.post(
            f"/{{instance_id}}/{verb}",
            name=verb,
            operation_id=f"{verb}_workflow",
            status_code=202,
            summary=summary,
            responses=_FINISHED,
            dependencies=[changes(Role.OPERATOR, f"workflow.{verb}")],
        )
        async def handle(instance_id: InstanceId) -> Done:
            await act(instance_id)
            return Done(message=f"{told} requested for workflow instance {instance_id}")

    offer("pause", "Suspend an instance", management.pause, "Pause")
    offer("resume", "Let a suspended instance go on", management.resume, "Resume")
    offer("purge", "Forget a finished instance", management.purge, "Purge")

    @router.post(
        "/{instance_id}/terminate",
        status_code=202,
        summary="End an instance; an order's only with force, and then it is undone",
        responses=_FINISHED,
        dependencies=[changes(Role.OPERATOR, "workflow.terminate")],
    )
    async def terminate(
        instance_id: InstanceId,
        force: Annotated[  # noqa: FBT002 # a query parameter has a name
            bool, Query(description="Also if it is an order's")
        ] = False,
        output: Annotated[
            Any,
            Payload,
            Body(description="The output to leave behind, any JSON", examples=["not needed"]),
        ] = None,
    ) -> Done:
        await management.terminate(instance_id, output, force=force)
        return Done(message=f"Termination requested for workflow instance {instance_id}")

    @router.post(
        "/{instance_id}/raise_event/{event_name}",
        status_code=202,
        summary="Hand an event to an instance; the body is its payload",
        responses=_FINISHED,
        dependencies=[changes(Role.OPERATOR, "workflow.raise-event")],
    )
    async def raise_event(
        instance_id: InstanceId,
        event_name: Annotated[str, Path(max_length=200, examples=["approvalEvent"])],
        payload: Annotated[
            Any, Payload, Body(description="The payload, any JSON", examples=[{"approved": True}])
        ] = None,
    ) -> Done:
        await management.raise_event(instance_id, event_name, payload)
        return Done(message=f"Event '{event_name}' raised for workflow instance {instance_id}")

    @router.post(
        "/{instance_id}/rerun",
        status_code=202,
        summary="Run a finished instance again from an event of its history, as a new one",
        responses=_problems(
            _404="There is no such instance", _409="It runs still, or is an order's"
        ),
        dependencies=[changes(Role.OPERATOR, "workflow.rerun")],
    )
    async def rerun(
        request: Request,
        instance_id: InstanceId,
        from_event: Annotated[TypedNumber, Query(ge=0, le=2**32 - 1, description="An event_id")],
        new_instance_id: NewInstanceId = None,
        payload: Annotated[
            Any,
            Payload,
            Body(description="Input in place of the recorded one, any JSON", examples=["Bob"]),
        ] = None,
    ) -> Started:
        replaced = (payload,) if await request.body() else ()
        started = await management.rerun(instance_id, from_event, new_instance_id, *replaced)
        return Started(instance_id=started, message=f"Rerun of {instance_id} started")

    return router


def _invalid(field: str, message: str) -> Problem:
    error = FieldError(field=field, message=message)
    return Problem(422, "INVALID_INPUT", f"{field}: {message}", [error])
