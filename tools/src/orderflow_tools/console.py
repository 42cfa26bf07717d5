"""The tools' output for people: plain lines, and a progress line on a terminal."""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from orderflow_cli.terminal import clean, clean_lines

LINE_START: Final = "\r\033[K"
"""Moves a terminal to the start of the line and clears the line."""


def print_line(text: str = "") -> None:
    """Print a line immediately."""
    print(clean_lines(text), flush=True)


def print_error(text: str) -> None:
    """Print an error to standard error."""
    print(clean_lines(text), file=sys.stderr, flush=True)


@contextmanager
def step(name: str) -> Iterator[None]:
    """Print what was done, and how many seconds it took, when the block has succeeded."""
    begun = time.monotonic()
    yield
    print_line(f"  {name:<44} {time.monotonic() - begun:5.1f} s")


class Meter:
    """Shows the progress of a long step: in place on a terminal, otherwise a line now and then."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._begun = time.monotonic()
        self._shown = 0.0
        self._live = sys.stdout.isatty() and os.environ.get("TERM") != "dumb"

    def show(self, progress: str) -> None:
        """Show the progress; calls that follow too quickly show nothing."""
        now = time.monotonic()
        if now - self._shown < (0.2 if self._live else 15):
            return
        self._shown = now
        text = f"  {self._name}: {progress}, {self._elapsed()}"
        if self._live:
            print(f"{LINE_START}{clean(text)}", end="", flush=True)
        else:
            print_line(text)

    def done(self, outcome: str) -> None:
        """Replace the progress with a last line."""
        print(LINE_START * self._live, end="")
        print_line(f"  {self._name}: {outcome}, {self._elapsed()}")

    def _elapsed(self) -> str:
        minutes, seconds = divmod(int(time.monotonic() - self._begun), 60)
        return f"{minutes}:{seconds:02d} min"
