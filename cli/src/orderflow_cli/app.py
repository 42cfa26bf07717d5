"""What all commands share: the application, its options, and the way to the services."""

import getpass
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated, Final

import typer

from orderflow_cli.client import Orderflow
from orderflow_cli.credentials import load_credential
from orderflow_cli.settings import load
from orderflow_contracts.numbers import IN_DIGITS, read_whole_number

ENDED_OTHERWISE: Final = 3
"""The exit code when an order or a workflow that was waited for ended, but not completed."""

OUT_OF_TIME: Final = 4
"""The exit code when a workflow that was waited for has not ended in time."""

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")]
OrderIdArgument = Annotated[str, typer.Argument(metavar="ID", help="The order's id.")]


def whole_number(least: int, most: int | None = None) -> Callable[[str | int], int]:
    """Make the parser of a number between two bounds, which takes plain digits alone."""

    def parse(given: str | int) -> int:
        number = read_whole_number(str(given))
        if number is None:
            raise typer.BadParameter(f"{given!r} must be {IN_DIGITS}.")
        if number < least or (most is not None and number > most):
            bounds = f"{least} or more" if most is None else f"from {least} to {most}"
            raise typer.BadParameter(f"{given!r} must be {bounds}.")
        return number

    return parse


Limit = Annotated[
    int, typer.Option(parser=whole_number(1), metavar="NUMBER", help="So many at most.")
]


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        return "console"


def _approver() -> str:
    """Name who decides: the one in whose name the token acts, or the user of this machine."""
    credential = load_credential()
    return (credential and credential.name) or _user()


Approver = Annotated[
    str,
    typer.Option(
        default_factory=_approver,
        show_default="your token's name, or your user name",
        help="Who decides.",
    ),
]


app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Place orders with the running services, approve them, and see how they fare.",
)


@contextmanager
def services() -> Iterator[Orderflow]:
    """Reach the services at the addresses that the environment gives."""
    with Orderflow(load()) as flow:
        yield flow
