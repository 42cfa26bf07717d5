"""Commands that look at workflows and change nothing."""

import sys
from typing import Annotated

import typer

from orderflow_cli import show
from orderflow_cli.app import ENDED_OTHERWISE, OUT_OF_TIME, AsJson, Limit, services, whole_number
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
        typer.Option(case_sensitive=False, help="Those with this status."),
    ] = None,
    name: Annotated[str | None, typer.Option(help="Those of this workflow.")] = None,
    limit: Limit = 100,
    after: Annotated[
        str | None, typer.Option(metavar="CURSOR", help="Read on where another list ended.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List workflows in an order of the store's own; says how to read on if there are more."""
    with services() as flow:
        found = flow.workflows.find(status, name, limit=limit, after=after)
    if as_json:
        show.as_json(found)
    else:
        show_workflows(found, status=status, name=name, limit=limit)


@workflows.command(short_help="Show a workflow.")
def status(*, instance_id: InstanceId, as_json: AsJson = False) -> None:
    """Show where a workflow is, what it was given and gave back, and why it failed if it did."""
    with services() as flow:
        found = flow.workflows.status(instance_id)
    _tell(found, as_json=as_json)


@workflows.command(short_help="Tell what happened to a workflow.")
def history(
    *,
    instance_id: InstanceId,
    full: Annotated[
        bool, typer.Option("--full", help="Cut nothing, and tell the engine's own steps too.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Tell what happened to a workflow, when, and how long it took.

    A number in the last column is what `rerun --from` takes.
    """
    with services() as flow:
        found = flow.workflows.history(instance_id)
    if as_json:
        show.as_json(found)
    else:
        show_history(found.items, full=full)


@workflows.command(short_help="Wait until a workflow has ended.")
def wait(
    *,
    instance_id: InstanceId,
    timeout: Annotated[
        int,
        typer.Option(
            parser=whole_number(1), metavar="SECONDS", help="For so many seconds at most."
        ),
    ] = 30,
    as_json: AsJson = False,
) -> None:
    """Wait for the end: exit code 0 if completed, 3 if ended otherwise, 4 if the time ran out."""
    with services() as flow:
        found = flow.workflows.wait(instance_id, timeout)
    if as_json or found.is_finished:
        _tell(found, as_json=as_json)
    if not found.is_finished:
        waited = f"{found.instance_id} is still {found.runtime_status} after {timeout} s"
        print(f"orderflow: {clean(waited)}", file=sys.stderr)
        raise typer.Exit(OUT_OF_TIME)
    if found.runtime_status != RuntimeStatus.COMPLETED:
        raise typer.Exit(ENDED_OTHERWISE)


def _tell(workflow: Workflow, *, as_json: bool) -> None:
    if as_json:
        show.as_json(workflow)
    else:
        show_workflow(workflow)
