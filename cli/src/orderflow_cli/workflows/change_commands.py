"""Commands that start, steer and forget workflows."""

from typing import Annotated

import typer

from orderflow_cli import show
from orderflow_cli.app import AsJson, services, whole_number
from orderflow_cli.terminal import clean
from orderflow_cli.workflows.app import (
    JSON_OR_FILE,
    InstanceId,
    Yes,
    confirm,
    json_text,
    workflows,
)
from orderflow_cli.workflows.models import Done, Started


@workflows.command(short_help="Start a workflow.")
def start(
    *,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The workflow's name.")],
    instance_id: Annotated[
        str | None, typer.Option("--id", metavar="ID", help="Its id; without: one is made.")
    ] = None,
    payload: Annotated[
        bytes | None,
        typer.Option("--input", parser=json_text, metavar=JSON_OR_FILE, help="Its input."),
    ] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="In place of one of that id that has finished.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Start a workflow by its name, and print its id.

    Orders are not started here, but by `orderflow publish`.
    """
    with services() as flow:
        started = flow.workflows.start(name, payload, instance_id=instance_id, replace=replace)
    _tell_start(started, f"{name} is started", as_json=as_json)


@workflows.command(short_help="Suspend a workflow.")
def pause(*, instance_id: InstanceId, as_json: AsJson = False) -> None:
    """Suspend a workflow; an activity that is at work goes on to its end."""
    with services() as flow:
        done = flow.workflows.pause(instance_id)
    _tell(done, as_json=as_json)


@workflows.command(short_help="Let a suspended workflow go on.")
def resume(*, instance_id: InstanceId, as_json: AsJson = False) -> None:
    """Let a suspended workflow go on."""
    with services() as flow:
        done = flow.workflows.resume(instance_id)
    _tell(done, as_json=as_json)


@workflows.command(short_help="End a workflow.")
def terminate(
    *,
    instance_id: InstanceId,
    force: Annotated[
        bool, typer.Option("--force", help="Also if it carries an order, which is then undone.")
    ] = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """End a workflow and its children where they are. An order is better cancelled."""
    what_of_order = " If it carries an order, that is undone." if force else ""
    confirm(f"Terminate {clean(instance_id)} for good?{what_of_order}", yes=yes)
    with services() as flow:
        done = flow.workflows.terminate(instance_id, force=force)
    _tell(done, as_json=as_json)


@workflows.command("raise", short_help="Hand an event to a workflow.")
def raise_event(
    *,
    instance_id: InstanceId,
    event: Annotated[str, typer.Argument(metavar="EVENT", help="The event's name.")],
    payload: Annotated[
        bytes | None,
        typer.Option("--data", parser=json_text, metavar=JSON_OR_FILE, help="What it carries."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Hand an event to a workflow; it is kept until the workflow waits for it."""
    with services() as flow:
        done = flow.workflows.raise_event(instance_id, event, payload)
    _tell(done, as_json=as_json)


@workflows.command(short_help="Run a finished workflow again from an event.")
def rerun(
    *,
    instance_id: InstanceId,
    from_event: Annotated[
        int,
        typer.Option(
            "--from",
            metavar="EVENT_ID",
            parser=whole_number(0),
            help="An event that `history` numbers.",
        ),
    ],
    new_instance_id: Annotated[
        str | None,
        typer.Option("--id", metavar="NEW", help="The id of the new one; without: one is made."),
    ] = None,
    payload: Annotated[
        bytes | None,
        typer.Option(
            "--input",
            parser=json_text,
            metavar=JSON_OR_FILE,
            help="The event's input in place of the recorded one.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Run a finished workflow again as a new one, from an event of its history on.

    What came before the event is taken from the history, and not done again.
    """
    with services() as flow:
        started = flow.workflows.rerun(
            instance_id, from_event, payload, new_instance_id=new_instance_id
        )
    _tell_start(started, f"{instance_id} runs again from event {from_event}", as_json=as_json)


@workflows.command(short_help="Forget finished workflows.")
def purge(
    *,
    instance_id: Annotated[
        str | None, typer.Argument(metavar="ID", help="The id of a finished workflow.")
    ] = None,
    older_than: Annotated[
        str | None,
        typer.Option(metavar="AGE", help="All that finished longer ago: 720h, 30m, 7d."),
    ] = None,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Forget a finished workflow and its history, or all that finished long ago."""
    if instance_id is not None and older_than is None:
        confirm(f"Forget {clean(instance_id)} and its history?", yes=yes)
        with services() as flow:
            done = flow.workflows.purge(instance_id)
    elif older_than is not None and instance_id is None:
        age = clean(older_than)
        confirm(f"Forget every workflow that finished more than {age} ago?", yes=yes)
        with services() as flow:
            done = flow.workflows.purge_older_than(older_than)
    else:
        raise typer.BadParameter("name either an ID, or an age with --older-than")
    _tell(done, as_json=as_json)


def _tell_start(started: Started, what: str, *, as_json: bool) -> None:
    if as_json:
        show.as_json(started)
    else:
        instance_id = clean(started.instance_id)
        print(
            f"{clean(what)} as {instance_id}. "
            f"`orderflow workflows wait {instance_id}` tells how it ends."
        )


def _tell(done: Done, *, as_json: bool) -> None:
    if as_json:
        show.as_json(done)
    else:
        print(f"{clean(done.message)}.")
