"""The management of workflows over HTTP."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Final

from fastapi import APIRouter, Body, Path, Query

from orderflow_contracts.fields import Moment
from orderflow_contracts.numbers import TypedDecimal
from orderflow_hosting.access import Role, changes, reads
from orderflow_hosting.pages import After, Limit, Page, decode_cursor, encode_cursor
from orderflow_workflow_runtime.durations import parse_duration
from orderflow_workflow_runtime.instances import (
    HistoryEvent,
    Instance,
    RuntimeStatus,
)
from orders.management.api_types import Done, InstanceId, Payload, Purged
from orders.management.problems import ProblemRoute, invalid, problems
from orders.management.records import InstanceFilter
from orders.management.service import Management
from orders.management.starting_api import add_rerun, add_starts

LONGEST_WAIT_SECONDS: Final = 300

_MISSING = problems(_404="There is no such instance")
_FINISHED = problems(_404="There is no such instance", _409="It has finished, or is an order's")


def workflow_router(management: Management) -> APIRouter:
    """Serve the management of workflows."""
    router = APIRouter(prefix="/workflows", tags=["workflows"], route_class=ProblemRoute)
    for add in (add_starts, _add_reading, _add_controls, _add_messages, add_rerun, _add_purge_all):
        add(router, management)
    return router


def _add_reading(router: APIRouter, management: Management) -> None:
    """List and read instances."""

    @router.get(
        "",
        summary="List instances, by their ids, or by creation if a time is given",
        dependencies=[reads()],
    )
    async def list_instances(
        status: RuntimeStatus | None = None,
        name: Annotated[str | None, Query(description="Only instances of this workflow")] = None,
        created_from: Annotated[
            Moment | None, Query(description="Only instances created then or later")
        ] = None,
        created_before: Annotated[
            Moment | None, Query(description="Only instances created earlier than this")
        ] = None,
        limit: Limit = 100,
        after: After = None,
    ) -> Page[Instance]:
        wanted = InstanceFilter(
            status=status, name=name, created_from=created_from, created_before=created_before
        )
        known = decode_cursor(after) if after is not None else None
        instances, last = await management.listing.page(wanted, limit, known)
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


def _add_controls(router: APIRouter, management: Management) -> None:
    """Pause, resume and purge an instance."""

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


def _add_messages(router: APIRouter, management: Management) -> None:
    """Terminate an instance with an output, and hand it an event."""

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


def _add_purge_all(router: APIRouter, management: Management) -> None:
    """Purge all instances that finished long ago."""

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
            raise invalid("older_than", str(error)) from error
        purged = await management.purge_older_than(age)
        return Purged(message=f"{purged} workflow instances purged", purged=purged)
