"""A command under `keep-alive`, as tests start and watch it."""

import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import psutil

from orderflow_tools.settings import find_checkout

T = TypeVar("T")

KEEP_ALIVE = find_checkout() / "tools" / "keep-alive"
SLEEPER = ("--", "sleep", "60")


@contextmanager
def supervised(
    home: Path, *arguments: str, program: tuple[str, ...] = (str(KEEP_ALIVE),), **options: Any
) -> Iterator["subprocess.Popen[str]"]:
    """Start a supervised command named `thing`, and stop everything at the end."""
    command = [*program, "thing", "--home", str(home), *arguments]
    options = {"stdout": subprocess.PIPE, **options}
    with subprocess.Popen(command, text=True, **options) as process:
        try:
            yield process
        finally:
            process.terminate()


def eventually(ask: Callable[[], T | None], what: str) -> T:
    """Return the first true answer, within ten seconds."""
    deadline = time.monotonic() + 10
    while not (answer := ask()):
        assert time.monotonic() < deadline, what
        time.sleep(0.01)
    return answer


def number_in(path: Path) -> int | None:
    """Return the number in a file, or None if there is none; a supervisor may just remove it."""
    try:
        return int(path.read_text() or 0) or None
    except FileNotFoundError:
        return None


def child_of(home: Path, *, other_than: int | None = None) -> int:
    """Return the id of the supervised command, once it runs."""

    def ask() -> int | None:
        found = number_in(home / "run" / "thing.pid")
        return None if found == other_than else found

    return eventually(ask, "the command was not started")


def gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
