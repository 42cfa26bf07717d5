"""Commands that start, control and purge workflows."""

from typing import Annotated

import typer

from orderflow_cli import show
from orderflow_cli.app import AsJson, Yes, confirm, services, whole_number
from orderflow_cli.terminal import clean
from orderflow_cli.workflows.app import (
    JSON_OR_FILE,
    InstanceId,
    json_text,
    workflows,
)
from orderflow_cli.workflows.models import Accepted, Started


@workflows.command(short_help="Start a workflow.")
def start(
    *,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The workflow name.")],
    instance_id: Annotated[
        str | None,
        typer.Option("--id", metavar="ID", help="The instance ID; generated if omitted."),
    ] = None,
    payload: Annotated[
        bytes | None,
        typer.Option("--input", parser=json_text, metavar=JSON_OR_FILE, help="The workflow input."),
    ] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Replace a finished workflow with the same ID.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Start a workflow by name, and print its ID.

    To place an order, use `orderflow publish` instead.
    """
    with services() as flow:
        started = flow.workflows.start(name, payload, instance_id=instance_id, replace=replace)
    _print_start(started, f"Started {name}", as_json=as_json)


@workflows.command(short_help="Suspend a workflow.")
def pause(*, instance_id: InstanceId, as_json: AsJson = False) -> None:
    """Suspend a workflow; a running activity is completed."""
    with services() as flow:
        accepted = flow.workflows.pause(instance_id)
    _print_accepted(accepted, as_json=as_json)


@workflows.command(short_help="Resume a suspended workflow.")
def resume(*, instance_id: InstanceId, as_json: AsJson = False) -> None:
    """Resume a suspended workflow."""
    with services() as flow:
        accepted = flow.workflows.resume(instance_id)
    _print_accepted(accepted, as_json=as_json)


@workflows.command(short_help="Terminate a workflow.")
def terminate(
    *,
    instance_id: InstanceId,
    force: Annotated[
        bool, typer.Option("--force", help="Also terminate an order, which is then rolled back.")
    ] = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Terminate a workflow and its children immediately. Prefer `orderflow cancel` for an order."""
    consequence = " If it is an order, the order is rolled back." if force else ""
    confirm(f"Terminate {clean(instance_id)} permanently?{consequence}", yes=yes)
    with services() as flow:
        accepted = flow.workflows.terminate(instance_id, force=force)
    _print_accepted(accepted, as_json=as_json)


@workflows.command("raise", short_help="Send an event to a workflow.")
def raise_event(
    *,
    instance_id: InstanceId,
    event: Annotated[str, typer.Argument(metavar="EVENT", help="The event name.")],
    payload: Annotated[
        bytes | None,
        typer.Option("--data", parser=json_text, metavar=JSON_OR_FILE, help="The event data."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Send an event to a workflow; the event is stored until the workflow waits for it."""
    with services() as flow:
        accepted = flow.workflows.raise_event(instance_id, event, payload)
    _print_accepted(accepted, as_json=as_json)


@workflows.command(short_help="Rerun a finished workflow from an event.")
def rerun(
    *,
    instance_id: InstanceId,
    from_event: Annotated[
        int,
        typer.Option(
            "--from",
            metavar="EVENT_ID",
            parser=whole_number(0),
            help="An event ID from `history`.",
        ),
    ],
    new_instance_id: Annotated[
        str | None,
        typer.Option("--id", metavar="NEW", help="The new instance ID; generated if omitted."),
    ] = None,
    payload: Annotated[
        bytes | None,
        typer.Option(
            "--input",
            parser=json_text,
            metavar=JSON_OR_FILE,
            help="Replaces the recorded input of the event.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Rerun a finished workflow as a new one, from an event in its history.

    Earlier events are copied from the history, and their work is not repeated.
    """
    with services() as flow:
        started = flow.workflows.rerun(
            instance_id, from_event, payload, new_instance_id=new_instance_id
        )
    _print_start(started, f"Rerunning {instance_id} from event {from_event}", as_json=as_json)


@workflows.command(short_help="Purge finished workflows.")
def purge(
    *,
    instance_id: Annotated[
        str | None, typer.Argument(metavar="ID", help="The ID of a finished workflow.")
    ] = None,
    older_than: Annotated[
        str | None,
        typer.Option(metavar="AGE", help="All that finished longer ago than this: 720h, 30m, 7d."),
    ] = None,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Delete a finished workflow and its history, or all that finished before a given age."""
    if instance_id is not None and older_than is None:
        confirm(f"Purge {clean(instance_id)} and its history?", yes=yes)
        with services() as flow:
            accepted = flow.workflows.purge(instance_id)
    elif older_than is not None and instance_id is None:
        age = clean(older_than)
        confirm(f"Purge every workflow that finished more than {age} ago?", yes=yes)
        with services() as flow:
            accepted = flow.workflows.purge_older_than(older_than)
    else:
        raise typer.BadParameter("give either an ID or --older-than")
    _print_accepted(accepted, as_json=as_json)


def _print_start(started: Started, what: str, *, as_json: bool) -> None:
    if as_json:
        show.as_json(started)
    else:
        instance_id = clean(started.instance_id)
        print(
            f"{clean(what)} as {instance_id}. "
            f"Wait for the result with `orderflow workflows wait {instance_id}`."
        )


def _print_accepted(accepted: Accepted, *, as_json: bool) -> None:
    if as_json:
        show.as_json(accepted)
    else:
        print(f"{clean(accepted.message)}.")
