"""What the commands about workflows share: their application, arguments and questions."""

import json
import sys
from typing import Annotated, Final

import typer

from orderflow_cli.app import app
from orderflow_cli.errors import OrderflowError
from orderflow_cli.submissions import read_text, refuse_constant

JSON_OR_FILE: Final = "JSON|@FILE"

workflows = typer.Typer(
    no_args_is_help=True,
    help="Start workflows, look at them, steer them, and forget them.",
    short_help="Start, look at, steer and forget workflows.",
)
app.add_typer(workflows, name="workflows")


def json_text(given: str) -> bytes:
    """Read JSON that stands in an option, or in the file that it names; return its text."""
    text, source = read_text(given[1:]) if given.startswith("@") else (given, None)
    try:
        text = text.removeprefix("\ufeff")
        json.loads(text, parse_constant=refuse_constant)
        return text.encode()
    except (RecursionError, ValueError) as error:
        if source is not None:
            raise OrderflowError(f"{source} is no JSON: {error}") from None
        raise typer.BadParameter(
            f"{given!r} is no JSON ({error}); a text has quotes of its own, as in '\"Ada\"'"
        ) from None


def confirm(question: str, *, yes: bool) -> None:
    """Ask, unless the answer was given in advance; raises `OrderflowError` unless it is yes."""
    if yes:
        return
    # Standard output is for what a program reads.
    print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)
    answer = sys.stdin.readline()
    if not answer.endswith("\n"):
        print(file=sys.stderr)
    if answer.strip().lower() not in {"y", "yes"}:
        raise OrderflowError("nothing was done: the answer was not yes")


InstanceId = Annotated[str, typer.Argument(metavar="ID", help="The id of a workflow instance.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
