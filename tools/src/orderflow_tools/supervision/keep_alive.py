"""Start a command and keep it alive, with nothing but Python's standard library.

    keep-alive NAME [--home DIR] [--directory DIR] [--grace SECONDS] -- COMMAND [ARGUMENT ...]

No fault of the machine ends the supervisor: if a disk is full, a folder is gone or no process can
be started, it pauses and tries again until that works.

The command's output is appended to HOME/logs/NAME.log. While they live, HOME/run/NAME.pid holds the
command's process id and HOME/run/NAME.keeper the supervisor's. When the command dies it is started
again, after a pause that grows from a fraction of a second to a few seconds, and a line reports it:
on standard output and in HOME/run/reports.jsonl. SIGTERM, SIGINT and SIGHUP stop the command: first
by SIGTERM, and after the grace period by SIGKILL. SIGINT and SIGHUP stay ignored if they were
ignored at the start.

Two processes do this. The starter only waits and passes signals on, because whoever started it may
kill it at any moment (`dapr run` kills its children with SIGKILL when it ends). The supervisor runs
in a session of its own. When a pipe is closed, it knows that the starter is gone, and stops the
command in an orderly way. If the supervisor itself is killed, Linux kills the command.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

if __name__ == "__main__":  # the isolated Python that runs this does not know the package
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from orderflow_tools.supervision.starter import keep
from orderflow_tools.supervision.task import Task


def read_task(arguments: Sequence[str]) -> Task:
    """Read the command line."""
    checkout = Path(__file__).resolve().parents[4]
    home = os.environ.get("ORDERFLOW_HOME") or str(checkout / ".orderflow")
    parser = argparse.ArgumentParser(prog="keep-alive", description="Keep a command alive.")
    parser.add_argument("name", help="names the log and the pid file")
    parser.add_argument("--home", type=Path, default=Path(home), help="default: ORDERFLOW_HOME")
    parser.add_argument("--directory", type=Path, default=Path.cwd(), help="where to start it")
    parser.add_argument("--grace", type=float, default=15.0, help="seconds from TERM to KILL")
    parser.add_argument("command", nargs="+", help="the command, after --")
    read = parser.parse_args(arguments)
    return Task(
        name=read.name,
        command=tuple(read.command),
        home=read.home.resolve(),
        directory=read.directory.resolve(),
        grace=read.grace,
    )


def occupy_standard_files() -> None:
    """Open standard input, output and error if closed, so that no other file takes their place."""
    while (number := os.open(os.devnull, os.O_RDWR)) <= 2:  # noqa: PLR2004 - standard error
        pass
    os.close(number)


if __name__ == "__main__":
    occupy_standard_files()
    code = keep(read_task(sys.argv[1:]))
    sys.exit(code if code >= 0 else 128 - code)
