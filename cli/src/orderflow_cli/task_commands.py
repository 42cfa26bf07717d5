"""Commands about tasks."""

from typing import Annotated

import typer

from orderflow_cli import show
from orderflow_cli.app import AsJson, Limit, app, services
from orderflow_cli.terminal import clean
from orderflow_contracts.tasks import TaskStatus

TaskIdArgument = Annotated[str, typer.Argument(metavar="ID", help="The task ID.")]

tasks = typer.Typer(help="List, show and complete tasks.")
app.add_typer(tasks, name="tasks", short_help="List, show and complete tasks.")


@tasks.callback(invoke_without_command=True)
def list_tasks(
    ctx: typer.Context,
    *,
    status: Annotated[TaskStatus | None, typer.Option(help="Only those with this status.")] = None,
    limit: Limit = 100,
    as_json: AsJson = False,
) -> None:
    """List tasks, newest first, or use a command to show or complete them."""
    if ctx.invoked_subcommand is not None:
        return
    with services() as flow:
        found = flow.tasks(status, limit)
    if as_json:
        show.as_json(found)
    else:
        show.show_tasks(found)


@tasks.command("show", short_help="Show a task.")
def show_task(*, task_id: TaskIdArgument, as_json: AsJson = False) -> None:
    """Show a task."""
    with services() as flow:
        found = flow.task(task_id)
    if as_json:
        show.as_json(found)
    else:
        show.show_task(found)


@tasks.command(short_help="Report tasks as completed.")
def complete(
    *, task_ids: Annotated[list[str], typer.Argument(metavar="ID...", help="The task IDs.")]
) -> None:
    """Report tasks as completed; safe to repeat."""
    with services() as flow:
        for task_id in task_ids:
            flow.complete_task(task_id)
            print(f"Task {clean(task_id)} reported as completed.", flush=True)
