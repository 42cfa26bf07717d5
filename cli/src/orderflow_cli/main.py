"""The `orderflow` command: what its parts offer as one application, and how failures are told."""

import sys
from collections.abc import Sequence

from orderflow_cli import (
    batch_commands,
    operations_commands,
    order_commands,
    task_commands,
    token_commands,
    user_commands,
)
from orderflow_cli.app import app
from orderflow_cli.errors import OrderflowError
from orderflow_cli.terminal import clean_lines, fitted
from orderflow_cli.workflows import change_commands, query_commands, replay_commands

__all__ = [
    "app",
    "batch_commands",
    "change_commands",
    "main",
    "operations_commands",
    "order_commands",
    "query_commands",
    "replay_commands",
    "task_commands",
    "token_commands",
    "user_commands",
]


@fitted()
def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command that the arguments name, and leave with its exit code.

    That is 0, 1 for a failure, which standard error tells in a sentence, 2 for wrong usage, 3 for
    an order or a workflow that was waited for and has ended otherwise than completed, and for a
    history that does not fit the code, 4 for a workflow that was waited for in vain, 130 after
    Ctrl-C, and 141 once nobody reads the output any more.
    """
    try:
        app(arguments, prog_name="orderflow")
    except OrderflowError as error:
        # A part of it may be what someone else wrote.
        print(clean_lines(f"orderflow: {error}"), file=sys.stderr)
        sys.exit(1)
