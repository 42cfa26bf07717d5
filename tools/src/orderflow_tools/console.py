"""What the tools say to a person: plain lines, and one that renews itself on a terminal."""

import contextlib
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, TextIO

from orderflow_cli.terminal import clean, clean_lines

RENEWED: Final = "\r\033[K"
"""Brings a terminal back to the start of its line, and empties that."""


def say(text: str = "") -> None:
    """Print a line at once."""
    _write(clean_lines(text), sys.stdout)


def complain(text: str) -> None:
    """Print an error where errors go."""
    _write(clean_lines(text), sys.stderr)


def let_go() -> None:
    """Drop what could not be printed, so that the end of the process does not fail with it."""
    for stream in filter(None, (sys.stdout, sys.stderr)):
        try:
            stream.flush()
        except OSError:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, stream.fileno())
            os.close(nowhere)


def _write(text: str, stream: TextIO, end: str = "\n") -> None:
    # The terminal may be gone, the reader of a pipe too, or the disk of a log be full: none of
    # that may end what this process is there for.
    with contextlib.suppress(OSError):
        print(text, file=stream, end=end, flush=True)


@contextmanager
def step(name: str) -> Iterator[None]:
    """Say, when the block has ended well, what was done and how many seconds it took."""
    begun = time.monotonic()
    yield
    say(f"  {name:<44} {time.monotonic() - begun:5.1f} s")


class Meter:
    """Shows how far a long step is: renewed in place on a terminal, else a line now and then."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._begun = time.monotonic()
        self._shown = 0.0
        self._live = sys.stdout.isatty() and os.environ.get("TERM") != "dumb"

    def show(self, progress: str) -> None:
        """Show how far it is; calls that come too often show nothing."""
        now = time.monotonic()
        if now - self._shown < (0.2 if self._live else 15):
            return
        self._shown = now
        text = f"  {self._name}: {progress}, {self._elapsed()}"
        if self._live:
            _write(f"{RENEWED}{clean(text)}", sys.stdout, end="")
        else:
            say(text)

    def done(self, outcome: str) -> None:
        """Replace what was shown by a last line."""
        _write(RENEWED * self._live, sys.stdout, end="")
        say(f"  {self._name}: {outcome}, {self._elapsed()}")

    def _elapsed(self) -> str:
        minutes, seconds = divmod(int(time.monotonic() - self._begun), 60)
        return f"{minutes}:{seconds:02d} min"
