"""What the workflow commands share: their Typer application, and arguments."""

import json
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


InstanceId = Annotated[str, typer.Argument(metavar="ID", help="The workflow instance ID.")]
