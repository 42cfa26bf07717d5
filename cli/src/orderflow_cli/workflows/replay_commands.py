"""Commands that replay histories against the workflow code that is installed here.

This package imports no service, so a service with workflows registers its replays as an entry
point, which is loaded when a command needs it.
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
from orderflow_cli.app import NOT_COMPLETED, AsJson
from orderflow_cli.errors import OrderflowError
from orderflow_cli.settings import sidecar_grpc
from orderflow_cli.terminal import clean
from orderflow_cli.workflows.app import InstanceId, workflows
from orderflow_contracts.names import ORDERS

ENTRY_POINTS: Final = "orderflow.workflows"
MISFIT: Final = NOT_COMPLETED
_NOT_PLAIN: Final = re.compile(r"[^\n\r\t -~]")


class Replays(Protocol):
    """Replays of a service; each outcome has `instance_id`, `workflow`, `fits` and `where`."""

    Unavailable: type[Exception]

    def record(self, instance_id: str) -> str:
        """Return the history of a live instance as the text of a history file."""

    def file(self, text: bytes, source: str) -> dict[str, Any]:
        """Replay a history file."""

    def instance(self, instance_id: str) -> dict[str, Any]:
        """Replay a live instance."""

    def unfinished(self) -> Iterator[dict[str, Any]]:
        """Replay every instance that has started and not finished."""


@workflows.command(short_help="Check histories against the installed code.")
def replay(
    *,
    files: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[FILE]...", help="History files written by `record`; - reads standard input."
        ),
    ] = None,
    instances: Annotated[
        list[str] | None,
        typer.Option("--instance", metavar="ID", help="An existing workflow; repeatable."),
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Every unfinished workflow.")] = False,
    as_json: AsJson = False,
) -> None:
    """Check whether workflows can continue with the code that is installed here.

    Histories are replayed without running activities or changing anything. If the code no longer
    fits a history, the first event that differs is shown, and the exit code is 3.
    """
    if not (files or instances or everything):
        raise typer.BadParameter("give a FILE, --instance or --all")
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
        print("There are no unfinished workflows.")
    if misfits:
        raise typer.Exit(MISFIT)


@workflows.command(short_help="Write a workflow's history to a file.")
def record(
    *,
    instance_id: InstanceId,
    file: Annotated[
        str | None,
        typer.Argument(
            metavar="[FILE]", help="The output file; prints to standard output if omitted."
        ),
    ] = None,
) -> None:
    """Write a workflow's history to a file for `replay`. The file includes the workflow's data."""
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
    """Escape JSON text to ASCII; it remains the same document."""
    return _NOT_PLAIN.sub(_escape, text)


def _escape(letter: re.Match[str]) -> str:
    return json.dumps(letter[0])[1:-1] if letter[0] != "\x7f" else "\\u007f"


@contextmanager
def _replays() -> Iterator[Replays]:
    """Load the replays of orders, and convert their errors."""
    found = entry_points(group=ENTRY_POINTS, name=ORDERS)
    if not found:
        raise OrderflowError(
            "the workflow code is not installed: install the package "
            f"{ORDERS} into the same environment as this command (in a checkout: make env)"
        )
    (entry_point, *_) = found
    opened: AbstractContextManager[Replays] = entry_point.load()(sidecar_grpc())
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
    subject = f"{outcome['instance_id']} ({outcome['workflow']})"
    if outcome["fits"]:
        return f"{subject} fits"
    return f"{subject} DOES NOT FIT: {outcome['where']}"
