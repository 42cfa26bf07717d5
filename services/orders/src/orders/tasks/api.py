"""The HTTP API and the topic of tasks."""

from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends, Path
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from orderflow_contracts import names
from orderflow_contracts.fields import Moment
from orderflow_contracts.tasks import Task, TaskCompleted, TaskId, TaskStatus
from orderflow_hosting.access import Role, changes, reads
from orderflow_hosting.dead_letters import Known
from orderflow_hosting.events import Event
from orderflow_hosting.pages import After, Limit, Page, number_after, numbered_page
from orderflow_hosting.problems import Problem, documented
from orderflow_hosting.topics import NotYetKnown, Refused, Topics, parse
from orderflow_workflow_runtime.ports import EngineUnavailable
from orders.tasks.service import TaskEnded, Tasks, UnknownTask

_TASK_ID: TypeAdapter[str] = TypeAdapter(TaskId)


class CompletionBody(BaseModel):
    """When the task was completed; the current time by default."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"completed_at": "2026-03-01T12:30:00Z"}]}
    )

    completed_at: Moment | None = None


def subscribe_tasks(topics: Topics, tasks: Tasks) -> None:
    """Accept completions of tasks from the topic."""

    async def completed(event: Event) -> None:
        message = parse(TaskCompleted, event)
        try:
            await tasks.complete(message.task_id, message.completed_at)
        except UnknownTask as error:
            raise NotYetKnown(str(error)) from error
        except TaskEnded as error:
            raise Refused(str(error)) from error

    async def find(event: Event) -> Known | None:
        try:
            task = await tasks.task(parse(TaskCompleted, event).task_id)
        except (Refused, UnknownTask):
            return None
        return Known("task", task.task_id, task.status)

    topics.subscribe(names.TASKS_COMPLETED, completed, find)


def possible_task_id(
    task_id: Annotated[str, Path(description="The task's id", examples=["task-1"])],
) -> str:
    """Return the id if it has the form of a task id; otherwise raise a 404 problem."""
    try:
        return _TASK_ID.validate_python(task_id)
    except ValidationError:
        raise Problem(404, "TASK_NOT_FOUND", str(UnknownTask(task_id))) from None


PathTaskId = Annotated[str, Depends(possible_task_id)]


def task_router(tasks: Tasks) -> APIRouter:
    """Serve tasks: list, read and complete."""
    router = APIRouter(prefix="/tasks", tags=["tasks"])
    missing: dict[int | str, dict[str, Any]] = documented({404: "There is no such task"})

    @router.get("", summary="List tasks, newest first", dependencies=[reads()])
    async def list_tasks(
        status: TaskStatus | None = None, limit: Limit = 100, after: After = None
    ) -> Page[Task]:
        return numbered_page(await tasks.list(status, limit + 1, number_after(after)), limit)

    @router.get("/{task_id}", summary="Read a task", responses=missing, dependencies=[reads()])
    async def read_task(task_id: PathTaskId) -> Task:
        try:
            return await tasks.task(task_id)
        except UnknownTask as error:
            raise Problem(404, "TASK_NOT_FOUND", str(error)) from error

    @router.post(
        "/{task_id}/complete",
        status_code=202,
        summary="Complete a task",
        responses={
            **missing,
            **documented({409: "The task has ended", 503: "The workflow engine is unavailable"}),
        },
        dependencies=[changes(Role.OPERATOR, "task.complete")],
    )
    async def complete_task(
        task_id: PathTaskId, body: Annotated[CompletionBody | None, Body()] = None
    ) -> Task:
        try:
            return await tasks.complete(task_id, body.completed_at if body else None)
        except UnknownTask as error:
            raise Problem(404, "TASK_NOT_FOUND", str(error)) from error
        except TaskEnded as error:
            raise Problem(409, "TASK_ENDED", str(error)) from error
        except EngineUnavailable as error:
            raise Problem(503, "SIDECAR_UNAVAILABLE", str(error)) from error

    return router
