"""Parses a command line, runs one command, and turns its errors into an exit code."""

import argparse
import signal
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Final

from orderflow_tools.console import print_error, print_line
from orderflow_tools.errors import PlatformError
from orderflow_tools.settings import Settings
from orderflow_tools.supervision.signals import stop_signals

STOP_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
INTERRUPTED: Final = 130
"""The exit code of a command that was interrupted, as in a shell."""

Command = Callable[[Settings, argparse.Namespace], int]


class Stopped(BaseException):
    """The user or the system has asked this process to stop."""


def add_command(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]",
    name: str,
    purpose: str,
    command: Command,
) -> argparse.ArgumentParser:
    """Add a command and return its parser, so that options can be added."""
    parser = commands.add_parser(name, help=purpose, description=purpose)
    parser.set_defaults(command=command)
    return parser


def execute(parser: argparse.ArgumentParser, arguments: Sequence[str] | None) -> int:
    """Run the command that the arguments name, and return its exit code."""
    options = parser.parse_args(arguments)
    raise_on_signals()
    command: Command = options.command
    try:
        return command(Settings.of_command(), options)
    except PlatformError as error:
        print_error(f"\n{error}")
        return 1
    except Stopped:
        return INTERRUPTED


def raise_on_signals() -> None:
    """Raise `Stopped` in the main thread at the first signal to stop."""

    def end(_number: int, _frame: FrameType | None) -> None:
        ignore_signals()  # another signal must not interrupt the clean-up
        raise Stopped

    for number in stop_signals():
        signal.signal(number, end)


def ignore_signals() -> None:
    """Ignore signals to stop from now on."""
    for number in STOP_SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def confirmed(question: str) -> bool:
    """Ask a yes-or-no question; no answer means no."""
    try:
        return input(question).strip().lower() in {"y", "yes"}
    except EOFError:
        print_line()  # ends the line of the question
        return False
