"""Entry point of the `orderflow` command: registers all commands and reports errors."""

import sys
from collections.abc import Sequence

from orderflow_cli import (
    batch_commands,
    dead_letter_commands,
    doctor_commands,
    operations_commands,
    order_commands,
    task_commands,
    token_commands,
    user_commands,
)
from orderflow_cli.app import app
from orderflow_cli.errors import OrderflowError
from orderflow_cli.terminal import clean_lines, safe_streams
from orderflow_cli.workflows import change_commands, query_commands, replay_commands

__all__ = [
    "app",
    "batch_commands",
    "change_commands",
    "dead_letter_commands",
    "doctor_commands",
    "main",
    "operations_commands",
    "order_commands",
    "query_commands",
    "replay_commands",
    "task_commands",
    "token_commands",
    "user_commands",
]


@safe_streams()
def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command that the arguments name, and exit with its code.

    0 is success; 1 a failure, explained on standard error; 2 wrong usage; 3 an order or workflow
    that did not complete, or a history that the code cannot replay; 4 a workflow that did not
    finish within the time limit; 5 something that disagrees; 130 Ctrl-C; 141 a closed output pipe.
    """
    try:
        app(arguments, prog_name="orderflow")
    except OrderflowError as error:
        # The message may contain text from a service or a user.
        print(clean_lines(f"orderflow: {error}"), file=sys.stderr)
        sys.exit(1)
