"""Read-only commands for workflows."""

import sys
from typing import Annotated

import typer

from orderflow_cli import show
from orderflow_cli.app import NOT_COMPLETED, TIMED_OUT, AsJson, Limit, services, whole_number
from orderflow_cli.terminal import clean
from orderflow_cli.workflows.app import InstanceId, workflows
from orderflow_cli.workflows.history_view import show_history
from orderflow_cli.workflows.instance_view import show_workflow, show_workflows
from orderflow_cli.workflows.models import RuntimeStatus, Workflow


@workflows.command("list", short_help="List workflows.")
def list_workflows(
    *,
    status: Annotated[
        RuntimeStatus | None,
        typer.Option(case_sensitive=False, help="Only those with this status."),
    ] = None,
    name: Annotated[str | None, typer.Option(help="Only instances of this workflow.")] = None,
    created_from: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="Only those created then or later: 2026-01-31T12:00:00Z"),
    ] = None,
    created_before: Annotated[
        str | None, typer.Option(metavar="TIME", help="Only those created earlier than this.")
    ] = None,
    limit: Limit = 100,
    after: Annotated[
        str | None, typer.Option(metavar="CURSOR", help="Continue where an earlier list ended.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List workflows by ID, or with a time by creation.

    If there are more, the command that continues is printed.
    """
    times = {"created_from": created_from, "created_before": created_before}
    with services() as flow:
        found = flow.workflows.find(status, name, **times, limit=limit, after=after)
    if as_json:
        show.as_json(found)
    else:
        show_workflows(found, status=status, name=name, **times, limit=limit)


@workflows.command(short_help="Show a workflow.")
def status(*, instance_id: InstanceId, as_json: AsJson = False) -> None:
    """Show a workflow's status, input, output and, if it failed, the failure."""
    with services() as flow:
        found = flow.workflows.status(instance_id)
    _print_workflow(found, as_json=as_json)


@workflows.command(short_help="Show a workflow's history.")
def history(
    *,
    instance_id: InstanceId,
    full: Annotated[
        bool,
        typer.Option("--full", help="Include the engine's own events, and do not shorten values."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show the events of a workflow, when they happened, and how long they took.

    The last column contains the event IDs for `rerun --from`.
    """
    with services() as flow:
        found = flow.workflows.history(instance_id)
    if as_json:
        show.as_json(found)
    else:
        show_history(found.items, full=full)


@workflows.command(short_help="Wait until a workflow has finished.")
def wait(
    *,
    instance_id: InstanceId,
    timeout: Annotated[
        int,
        typer.Option(parser=whole_number(1), metavar="SECONDS", help="The longest time to wait."),
    ] = 30,
    as_json: AsJson = False,
) -> None:
    """Wait for a workflow: exit code 0 if completed, 3 if failed or terminated, 4 on timeout."""
    with services() as flow:
        found = flow.workflows.wait(instance_id, timeout)
    if as_json or found.is_finished:
        _print_workflow(found, as_json=as_json)
    if not found.is_finished:
        message = f"{found.instance_id} is still {found.runtime_status} after {timeout} s"
        print(f"orderflow: {clean(message)}", file=sys.stderr)
        raise typer.Exit(TIMED_OUT)
    if found.runtime_status != RuntimeStatus.COMPLETED:
        raise typer.Exit(NOT_COMPLETED)


def _print_workflow(workflow: Workflow, *, as_json: bool) -> None:
    if as_json:
        show.as_json(workflow)
    else:
        show_workflow(workflow)
