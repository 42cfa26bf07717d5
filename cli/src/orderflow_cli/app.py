"""What all commands share: the Typer application, common options and the client."""

import getpass
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated, Final

import typer

from orderflow_cli.client import Orderflow
from orderflow_cli.credentials import load_credential
from orderflow_cli.errors import OrderflowError
from orderflow_cli.settings import load
from orderflow_contracts.numbers import IN_DIGITS, read_whole_number

NOT_COMPLETED: Final = 3
"""Exit code when an order or a workflow has ended, but did not complete."""

TIMED_OUT: Final = 4
"""Exit code when a workflow has not finished within the time limit."""

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")]
OrderIdArgument = Annotated[str, typer.Argument(metavar="ID", help="The order ID.")]


def whole_number(minimum: int, maximum: int | None = None) -> Callable[[str | int], int]:
    """Return a parser for a whole number within bounds, written in plain digits."""

    def parse(given: str | int) -> int:
        number = read_whole_number(str(given))
        if number is None:
            raise typer.BadParameter(f"{given!r} must be {IN_DIGITS}.")
        if number < minimum or (maximum is not None and number > maximum):
            bounds = f"{minimum} or more" if maximum is None else f"from {minimum} to {maximum}"
            raise typer.BadParameter(f"{given!r} must be {bounds}.")
        return number

    return parse


Limit = Annotated[
    int, typer.Option(parser=whole_number(1), metavar="NUMBER", help="List at most this many.")
]


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # in a container the user may have no name
        return "console"


def _approver() -> str:
    """Return the name on the token, or else the local user name."""
    credential = load_credential()
    return (credential and credential.name) or _user()


Approver = Annotated[
    str,
    typer.Option(
        default_factory=_approver,
        show_default="the name on your token, or your user name",
        help="The approver's name.",
    ),
]


app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Place, approve and track orders on the running services.",
)


@contextmanager
def services() -> Iterator[Orderflow]:
    """Open a client for the services at the addresses in the environment."""
    with Orderflow(load()) as flow:
        yield flow


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
