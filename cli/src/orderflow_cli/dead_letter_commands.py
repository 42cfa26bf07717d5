"""Commands about events that the services could not handle."""

import json
import sys
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated

import typer

from orderflow_cli import show, show_dead_letters
from orderflow_cli.app import AsJson, Limit, Yes, app, confirm, services
from orderflow_cli.client import Orderflow
from orderflow_cli.errors import OrderflowError
from orderflow_cli.models import DeadLetter, State
from orderflow_cli.submissions import read_text
from orderflow_cli.terminal import clean


def _time(given: str) -> str:
    """Read a time, which is local unless it has a zone."""
    try:
        return datetime.fromisoformat(given).astimezone().isoformat()
    except ValueError:
        raise typer.BadParameter(f"{given!r} is not a time such as 2026-12-31T23:59") from None


ALL = "all"
Name = Annotated[str, typer.Argument(metavar="ID", help="A dead letter, such as orders:3.")]
Topic = Annotated[str | None, typer.Option(help="Only events of this topic.")]
Reason = Annotated[str | None, typer.Option(help="Only if the reason contains this.")]
Part = Annotated[
    str | None,
    typer.Option("--text", help="Only if the reason, the event ID or the order ID contains this."),
]
Since = Annotated[
    str | None,
    typer.Option(parser=_time, metavar="TIME", help="Only received then or later."),
]
Before = Annotated[
    str | None, typer.Option(parser=_time, metavar="TIME", help="Only received earlier.")
]

dead_letters = typer.Typer(help="List, show, resend and discard events that could not be handled.")
app.add_typer(
    dead_letters, name="dead-letters", short_help="List and resend events that failed for good."
)


@dead_letters.callback(invoke_without_command=True)
def list_dead_letters(
    ctx: typer.Context,
    *,
    state: Annotated[State | None, typer.Option(help="Only those in this state.")] = None,
    topic: Topic = None,
    reason: Reason = None,
    text: Part = None,
    since: Since = None,
    before: Before = None,
    limit: Limit = 100,
    as_json: AsJson = False,
) -> None:
    """List events that orders and approvals could not handle, and why."""
    if ctx.invoked_subcommand is not None:
        return
    wanted = _wanted(topic, reason, text, since, before)
    with services() as flow:
        found = flow.dead_letters(limit, state, **wanted)
    if as_json:
        show.as_json(found)
    else:
        show_dead_letters.show_dead_letters(found)


@dead_letters.command("show", short_help="Show one with its payload.")
def show_dead_letter(*, name: Name, as_json: AsJson = False) -> None:
    """Show an event that could not be handled, with its payload."""
    with services() as flow:
        found = flow.dead_letter(name)
    if as_json:
        show.as_json(found)
    else:
        show_dead_letters.show_dead_letter(found)


@dead_letters.command(short_help="Publish one or all again.")
def resend(
    *,
    name: Annotated[
        str,
        typer.Argument(
            metavar="ID|all", help="A dead letter, such as orders:3, or all that are waiting."
        ),
    ],
    file: Annotated[
        str | None,
        typer.Option(help="The corrected event as JSON: its data, or a CloudEvent; - for stdin."),
    ] = None,
    topic: Topic = None,
    reason: Reason = None,
    text: Part = None,
    since: Since = None,
    before: Before = None,
    yes: Yes = False,
) -> None:
    """Publish an event again, as it was or corrected; nothing is processed twice.

    `all` lists those waiting that match the filters, and sends them once you confirm.
    """
    wanted = _wanted(topic, reason, text, since, before)
    if name == ALL and file is not None:
        raise OrderflowError("--file corrects one dead letter: name it instead of `all`")
    if name != ALL and any(wanted.values()):
        raise OrderflowError("filters choose among `all`, not for a dead letter that is named")
    corrected = None if file is None else _json_in(file)
    with services() as flow:
        chosen = _confirmed(flow, wanted, yes=yes) if name == ALL else [flow.dead_letter(name)]
        for letter in chosen:
            event_id = flow.resend(letter, corrected)
            as_event = "" if corrected is None else f" as event {clean(event_id)}"
            print(f"{letter.name} resent on {clean(letter.topic)}{as_event}", flush=True)
    print(f"{len(chosen)} resent.")


@dead_letters.command(short_help="Record that one needs nothing more.")
def discard(
    *,
    name: Name,
    reason: Annotated[str, typer.Option(help="The reason, recorded with the dead letter.")],
) -> None:
    """Record that an event needs nothing more; it stays stored and can still be resent."""
    with services() as flow:
        letter = flow.dead_letter(name)
        flow.discard(letter, reason)
    print(f"{letter.name} discarded.")


@dead_letters.command(short_help="List events that are tried again.")
def parked(*, limit: Limit = 100, as_json: AsJson = False) -> None:
    """List events that failed and that the services try again by themselves."""
    with services() as flow:
        found = flow.parked_events(limit)
    if as_json:
        show.as_json(found)
    else:
        show_dead_letters.show_parked_events(found)


def _confirmed(flow: Orderflow, wanted: Mapping[str, str | None], *, yes: bool) -> list[DeadLetter]:
    """Return those waiting, after showing what would be sent and asking, unless `yes` is set."""
    chosen = flow.dead_letters(sys.maxsize, "waiting", **wanted)
    if chosen and not yes:
        show_dead_letters.preview_dead_letters(flow.dead_letter(letter.name) for letter in chosen)
        confirm(f"Resend {len(chosen)} dead letter{'' if len(chosen) == 1 else 's'}?", yes=yes)
    return chosen


def _wanted(
    topic: str | None, reason: str | None, text: str | None, since: str | None, before: str | None
) -> dict[str, str | None]:
    """Return the filters as parameters of the services."""
    return {
        "topic": topic,
        "reason": reason,
        "q": text,
        "received_from": since,
        "received_before": before,
    }


def _json_in(file: str) -> bytes:
    """Return the text of a file with JSON, which the service reads strictly."""
    text, source = read_text(file)
    try:
        corrected = json.loads(text)
    except ValueError as error:
        raise OrderflowError(f"{source} is not JSON: {error}") from None
    if corrected is None:
        raise OrderflowError(f"{source} contains null, which is no event")
    return text.encode()
