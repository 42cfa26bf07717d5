"""The management of workflows over HTTP."""

import json
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Final

from fastapi import APIRouter, Body, Path, Query, Request
from pydantic import AfterValidator, BaseModel

from orderflow_contracts.numbers import TypedDecimal, TypedNumber
from orderflow_hosting.access import Role, changes, reads
from orderflow_hosting.pages import After, Limit, Page, decode_cursor, encode_cursor
from orderflow_workflow_runtime.durations import parse_duration
from orderflow_workflow_runtime.instances import (
    HistoryEvent,
    Instance,
    RuntimeStatus,
)
from orders.management.problems import ProblemRoute, invalid, problems
from orders.management.service import Management

LONGEST_WAIT_SECONDS: Final = 300
INSTANCE_ID: Final = r"^[A-Za-z0-9_-]{1,100}$"

InstanceId = Annotated[
    str, Path(description="The id of a workflow instance", examples=["iwf-demo"])
]
NewInstanceId = Annotated[
    str | None,
    Query(pattern=INSTANCE_ID, description="The id of the new instance; generated if omitted"),
]


def read_payload(value: Any) -> Any:
    """Parse JSON sent with any content type; refuse what cannot be passed on to the engine."""
    try:
        read = json.loads(value) if isinstance(value, bytes) else value
        json.dumps(read, ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, RecursionError):
        raise ValueError("must be JSON") from None
    return read


Payload = AfterValidator(read_payload)


class Started(BaseModel):
    """An instance was started."""

    instance_id: str
    message: str


class Done(BaseModel):
    """The request was accepted, and is done or in progress."""

    message: str


class Purged(Done):
    """The number of instances that were purged."""

    purged: int


_MISSING = problems(_404="There is no such instance")
_FINISHED = problems(_404="There is no such instance", _409="It has finished, or is an order's")


def workflow_router(management: Management) -> APIRouter:  # noqa: C901 # a list of paths
    """Serve the management of workflows."""
    router = APIRouter(prefix="/workflows", tags=["workflows"], route_class=ProblemRoute)

    @router.post(
        "/start/{suffix}",
        status_code=202,
        summary="Start interactive_hello_workflow as iwf-<suffix>",
        responses=problems(_409="The id is taken"),
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
        summary="Purge all instances that finished longer ago than a given age",
        dependencies=[changes(Role.OPERATOR, "workflow.purge")],
    )
    async def purge_all(
        older_than: Annotated[str, Query(description="An age: 720h, 30m, 7d", examples=["720h"])],
    ) -> Purged:
        try:
            age = parse_duration(older_than)
        except ValueError as error:
            raise invalid("older_than", str(error)) from error
        purged = await management.purge_older_than(age)
        return Purged(message=f"{purged} workflow instances purged", purged=purged)

    @router.post(
        "/{workflow_name}/start",
        status_code=202,
        summary="Start a workflow by its name; the body is its input",
        responses=problems(
            _404="There is no such workflow", _409="The id is taken, or only the service starts it"
        ),
        dependencies=[changes(Role.OPERATOR, "workflow.start")],
    )
    async def start(
        workflow_name: Annotated[str, Path(examples=["never_ending_workflow"])],
        instance_id: NewInstanceId = None,
        replace: Annotated[  # noqa: FBT002 # a query parameter has a name
            bool, Query(description="Whether to replace a finished instance")
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
        name: Annotated[str | None, Query(description="Only instances of this workflow")] = None,
        limit: Limit = 100,
        after: After = None,
    ) -> Page[Instance]:
        known = decode_cursor(after) if after is not None else None
        instances, last = await management.listing.page(status, name, limit, known)
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
        summary="Read the history of an instance",
        responses=_MISSING,
        dependencies=[reads()],
    )
    async def history(instance_id: InstanceId) -> Page[HistoryEvent]:
        return Page(items=await management.history(instance_id))

    @router.get(
        "/{instance_id}/wait",
        summary="Wait until an instance has finished, and read it",
        responses=problems(_404="There is no such instance", _504="The timeout has passed"),
        dependencies=[reads()],
    )
    async def wait(
        instance_id: InstanceId,
        timeout_seconds: Annotated[TypedDecimal, Query(gt=0, le=LONGEST_WAIT_SECONDS)] = 30,
    ) -> Instance:
        return await management.wait(instance_id, timeout_seconds)

    def offer(verb: str, summary: str, act: Callable[[str], Awaitable[None]], noun: str) -> None:
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
            return Done(message=f"{noun} requested for workflow instance {instance_id}")

    offer("pause", "Suspend an instance", management.pause, "Pause")
    offer("resume", "Resume a suspended instance", management.resume, "Resume")
    offer("purge", "Purge a finished instance", management.purge, "Purge")

    @router.post(
        "/{instance_id}/terminate",
        status_code=202,
        summary="Terminate an instance; an order's requires force, and is then rolled back",
        responses=_FINISHED,
        dependencies=[changes(Role.OPERATOR, "workflow.terminate")],
    )
    async def terminate(
        instance_id: InstanceId,
        force: Annotated[  # noqa: FBT002 # a query parameter has a name
            bool, Query(description="Required to terminate an order")
        ] = False,
        output: Annotated[
            Any,
            Payload,
            Body(description="The output to record, any JSON", examples=["not needed"]),
        ] = None,
    ) -> Done:
        await management.terminate(instance_id, output, force=force)
        return Done(message=f"Termination requested for workflow instance {instance_id}")

    @router.post(
        "/{instance_id}/raise_event/{event_name}",
        status_code=202,
        summary="Raise an event for an instance; the body is its payload",
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
        responses=problems(
            _404="There is no such instance", _409="It has not finished, or is an order's"
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
            Body(
                description="The input that replaces the recorded one, any JSON", examples=["Bob"]
            ),
        ] = None,
    ) -> Started:
        replaced = (payload,) if await request.body() else ()
        started = await management.rerun(instance_id, from_event, new_instance_id, *replaced)
        return Started(instance_id=started, message=f"Rerun of {instance_id} started")

    return router
