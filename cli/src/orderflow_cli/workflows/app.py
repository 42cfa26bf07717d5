"""What the workflow commands share: their Typer application, arguments and confirmation."""

import json
import sys
from typing import Annotated, Final

import typer

from orderflow_cli.app import app
from orderflow_cli.errors import OrderflowError
from orderflow_cli.submissions import read_text, reject_constant

JSON_OR_FILE: Final = "JSON|@FILE"

workflows = typer.Typer(
    no_args_is_help=True,
    help="Start, inspect, control and purge workflows.",
    short_help="Start, inspect, control and purge workflows.",
)
app.add_typer(workflows, name="workflows")


def json_text(given: str) -> bytes:
    """Return the JSON text of an option, or of the file that it names."""
    text, source = read_text(given[1:]) if given.startswith("@") else (given, None)
    try:
        text = text.removeprefix("\ufeff")
        json.loads(text, parse_constant=reject_constant)
        return text.encode()
    except (RecursionError, ValueError) as error:
        if source is not None:
            raise OrderflowError(f"{source} is not valid JSON: {error}") from None
        raise typer.BadParameter(
            f"{given!r} is not valid JSON ({error}); a string needs its own quotes, as in '\"Ada\"'"
        ) from None


def confirm(question: str, *, yes: bool) -> None:
    """Ask for confirmation unless `yes` is set; raise `OrderflowError` unless confirmed."""
    if yes:
        return
    # Standard output is reserved for the result, which a program may read.
    print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)
    answer = sys.stdin.readline()
    if not answer.endswith("\n"):
        print(file=sys.stderr)
    if answer.strip().lower() not in {"y", "yes"}:
        raise OrderflowError("not confirmed, so nothing was changed")


InstanceId = Annotated[str, typer.Argument(metavar="ID", help="The workflow instance ID.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")]
