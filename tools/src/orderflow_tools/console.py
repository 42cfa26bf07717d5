"""What the tools say to a person: plain lines, and one that renews itself on a terminal."""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from orderflow_cli.terminal import clean, clean_lines

RENEWED: Final = "\r\033[K"
"""Brings a terminal back to the start of its line, and empties that."""


def say(text: str = "") -> None:
    """Print a line at once."""
    print(clean_lines(text), flush=True)


def complain(text: str) -> None:
    """Print an error where errors go."""
    print(clean_lines(text), file=sys.stderr, flush=True)


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
            print(f"{RENEWED}{clean(text)}", end="", flush=True)
        else:
            say(text)

    def done(self, outcome: str) -> None:
        """Replace what was shown by a last line."""
        print(RENEWED * self._live, end="")
        say(f"  {self._name}: {outcome}, {self._elapsed()}")

    def _elapsed(self) -> str:
        minutes, seconds = divmod(int(time.monotonic() - self._begun), 60)
        return f"{minutes}:{seconds:02d} min"
