"""The HTTP routes that start workflows."""

from typing import Annotated, Any

from fastapi import APIRouter, Body, Path, Query, Request

from orderflow_contracts.numbers import TypedNumber
from orderflow_hosting.access import Role, changes
from orders.management.api_types import InstanceId, NewInstanceId, Payload, Started
from orders.management.problems import problems
from orders.management.service import Management


def add_starts(router: APIRouter, management: Management) -> None:
    """Start workflows by name, and the one to try out."""

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
        "/{workflow_name}/start",
        status_code=202,
        summary="Start a workflow by its name; the body is its input",
        responses=problems(
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


def add_rerun(router: APIRouter, management: Management) -> None:
    """Run a finished instance again."""

    @router.post(
        "/{instance_id}/rerun",
        status_code=202,
        summary="Run a finished instance again from an event of its history, as a new one",
        responses=problems(
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
