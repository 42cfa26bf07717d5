"""The page of tasks, on which people mark tasks as done."""

from functools import partial
from typing import Annotated, Final, Literal

from fastapi import APIRouter, Depends, Request
from fastapi.responses import RedirectResponse, Response

from orderflow_hosting.access import Role, form, page
from orderflow_hosting.pages import number_after, numbered_page
from orderflow_hosting.problems import Problem
from orderflow_hosting.web import Site
from orderflow_workflow_runtime.ports import EngineUnavailable
from orders.tasks.api import possible_task_id
from orders.tasks.service import TaskEnded, Tasks, UnknownTask

TASKS_ON_A_PAGE: Final = 25

Show = Literal["open", "all"]


def task_pages(site: Site, tasks: Tasks) -> APIRouter:
    """Serve the list of tasks, and the button that completes a task."""
    router = APIRouter(prefix="/board/tasks", include_in_schema=False)
    render = partial(_render, site, tasks)

    @router.get("", dependencies=[page()])
    async def task_list(
        request: Request,
        show: Show = "open",
        after: str | None = None,
        done: str | None = None,
    ) -> Response:
        return await render(request, show, after, done=done)

    @router.post("/{task_id}/complete", dependencies=[form(Role.OPERATOR, "task.complete")])
    async def complete(
        request: Request, task_id: Annotated[str, Depends(possible_task_id)]
    ) -> Response:
        try:
            await tasks.complete(task_id)
        except UnknownTask as error:
            raise Problem(404, "TASK_NOT_FOUND", str(error)) from error
        except TaskEnded as error:
            problem = Problem(409, "TASK_ENDED", str(error))
        except EngineUnavailable as error:
            problem = Problem(503, "SIDECAR_UNAVAILABLE", str(error))
        else:
            return RedirectResponse(f"/board/tasks?done={task_id}", status_code=303)
        request.state.problem_code = problem.code
        return await render(request, "open", None, problem=problem)

    return router


async def _render(
    site: Site,
    tasks: Tasks,
    request: Request,
    show: Show,
    after: str | None,
    *,
    done: str | None = None,
    problem: Problem | None = None,
) -> Response:
    found = await tasks.list(None, TASKS_ON_A_PAGE + 1, number_after(after), is_open=show == "open")
    shown = numbered_page(list(found), TASKS_ON_A_PAGE)
    return site.page(
        request,
        "tasks.html",
        problem.status if problem is not None else 200,
        tasks=shown.items,
        next=shown.next,
        after=after,
        show=show,
        done=done,
        problem=problem,
    )
