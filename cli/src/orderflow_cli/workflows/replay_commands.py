"""Commands that hold histories against the workflows' code as it is installed here.

A replay runs that code, and this package imports no service: each that has workflows offers its
replays as an entry point, which is looked up when a command needs it.
"""

import json
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from importlib.metadata import entry_points
from pathlib import Path
from typing import Annotated, Any, Final, Protocol

import typer

from orderflow_cli import show
from orderflow_cli.app import ENDED_OTHERWISE, AsJson
from orderflow_cli.errors import OrderflowError
from orderflow_cli.settings import sidecar_grpc
from orderflow_cli.terminal import clean
from orderflow_cli.workflows.app import InstanceId, workflows
from orderflow_contracts.names import ORDERS

ENTRY_POINTS: Final = "orderflow.workflows"
DOES_NOT_FIT: Final = ENDED_OTHERWISE
_NOT_PLAIN: Final = re.compile(r"[^\n\r\t -~]")


class Replays(Protocol):
    """What a service offers; each outcome has `instance_id`, `workflow`, `fits` and `where`."""

    Unavailable: type[Exception]

    def record(self, instance_id: str) -> str:
        """Return the history of a live instance, as the text of a file."""

    def file(self, text: bytes, source: str) -> dict[str, Any]:
        """Replay what a file holds."""

    def instance(self, instance_id: str) -> dict[str, Any]:
        """Replay a live instance."""

    def unfinished(self) -> Iterator[dict[str, Any]]:
        """Replay every instance that has begun and not ended."""


@workflows.command(short_help="Hold histories against the present code.")
def replay(
    *,
    files: Annotated[
        list[str] | None,
        typer.Argument(metavar="[FILE]...", help="Histories that `record` wrote; - reads one."),
    ] = None,
    instances: Annotated[
        list[str] | None,
        typer.Option("--instance", metavar="ID", help="A workflow that is there now; repeatable."),
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Every workflow that has not ended.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Tell whether workflows could go on with the code that is installed here.

    Nothing is done, and nothing changed: their histories are replayed. Exit code 3 if one does not
    fit; then its first event is told that the code does not lead to, and what it does instead.
    """
    if not (files or instances or everything):
        raise typer.BadParameter("name a FILE or an --instance, or say --all")
    outcomes = []
    with _replays() as replays:
        for outcome in _outcomes(replays, files or [], instances or [], everything=everything):
            outcomes.append(outcome)
            if not as_json:
                print(clean(_line(outcome)), flush=True)
    misfits = sum(not outcome["fits"] for outcome in outcomes)
    if as_json:
        show.as_json({"items": outcomes, "misfits": misfits})
    elif not outcomes:
        print("There is no workflow that has not ended.")
    if misfits:
        raise typer.Exit(DOES_NOT_FIT)


@workflows.command(short_help="Write a workflow's history to a file.")
def record(
    *,
    instance_id: InstanceId,
    file: Annotated[
        str | None, typer.Argument(metavar="[FILE]", help="Without, it is printed.")
    ] = None,
) -> None:
    """Write the whole history of a workflow to a file, for `replay`. It holds what it was given."""
    with _replays() as replays:
        text = replays.record(instance_id)
    if file is None or file == "-":
        sys.stdout.write(escaped(text))
        return
    try:
        Path(file).write_text(text, encoding="utf-8")
    except OSError as error:
        raise OrderflowError(f"{file} cannot be written: {error.strerror}") from error


def escaped(text: str) -> str:
    """Write JSON text in characters that every terminal has; it remains the same document."""
    return _NOT_PLAIN.sub(_escape, text)


def _escape(letter: re.Match[str]) -> str:
    return json.dumps(letter[0])[1:-1] if letter[0] != "\x7f" else "\\u007f"


@contextmanager
def _replays() -> Iterator[Replays]:
    """Load what orders offers, and tell its failures as this command's own."""
    found = entry_points(group=ENTRY_POINTS, name=ORDERS)
    if not found:
        raise OrderflowError(
            "the code of the workflows is not installed beside this command: install the package "
            f"of {ORDERS} into the same environment (in a checkout: make env)"
        )
    (offered, *_) = found
    opened: AbstractContextManager[Replays] = offered.load()(sidecar_grpc())
    with opened as replays:
        try:
            yield replays
        except replays.Unavailable as error:
            raise OrderflowError(str(error)) from error


def _outcomes(
    replays: Replays, files: Sequence[str], instances: Sequence[str], *, everything: bool
) -> Iterator[dict[str, Any]]:
    for file in files:
        yield replays.file(_read(file), file)
    for instance_id in instances:
        yield replays.instance(instance_id)
    if everything:
        yield from replays.unfinished()


def _read(file: str) -> bytes:
    try:
        return sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    except OSError as error:
        raise OrderflowError(f"{file} cannot be read: {error.strerror}") from error


def _line(outcome: dict[str, Any]) -> str:
    who = f"{outcome['instance_id']} ({outcome['workflow']})"
    if outcome["fits"]:
        return f"{who} fits"
    return f"{who} DOES NOT FIT: {outcome['where']}"
