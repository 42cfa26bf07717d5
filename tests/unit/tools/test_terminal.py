"""A run whose terminal is closed, or that gets a signal which was ignored from the start."""

import fcntl
import os
import signal
import subprocess
import sys
import termios
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from fakes.supervised import eventually, gone, number_in
from orderflow_tools.settings import find_checkout

RUN = f"{sys.executable} {find_checkout() / 'tests' / 'fakes' / 'terminal_run.py'}"
FOREGROUND = f"{RUN}; true"
UNDER_NOHUP = f"trap '' HUP; {RUN}; true"
IN_BACKGROUND = f"{RUN} & wait"


def lead_session() -> None:
    """Make standard input the terminal of this session."""
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


class Run:
    """A run that a shell has started in a terminal, with a platform that records its calls."""

    def __init__(self, home: Path, terminal: int) -> None:
        self._notes = home / "notes"
        self._may_stop = home / "may-stop"
        self._terminal: int | None = terminal
        eventually(lambda: self.count("looked"), "the run did not start")
        self.pid = number_in(home / "pid") or 0

    def count(self, note: str) -> int:
        """Return how often something has been done."""
        return self._notes.read_text().split().count(note) if self._notes.exists() else 0

    def close_terminal(self) -> None:
        """Close the terminal; the kernel then signals its shell and what is in its foreground."""
        if self._terminal is not None:
            os.close(self._terminal)
        self._terminal = None

    def goes_on(self) -> bool:
        """Wait until the run has printed something more."""
        before = self.count("looked")
        return eventually(lambda: self.count("looked") > before, "the run has ended")

    def has_ended_well(self) -> bool:
        """Wait for the end, and return whether the platform was stopped, once and to the end."""
        eventually(lambda: self.count("stopping"), "the platform was not stopped")
        self._may_stop.touch()
        eventually(lambda: gone(self.pid), "the run did not end")
        return (self.count("stopping"), self.count("stopped")) == (1, 1)


@contextmanager
def started(home: Path, line: str) -> Iterator[Run]:
    terminal, theirs = os.openpty()
    shell = subprocess.Popen(
        ["/bin/sh", "-c", line],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={**os.environ, "ORDERFLOW_HOME": str(home)},
        start_new_session=True,
        preexec_fn=lead_session,  # noqa: PLW1509 # it does one system call
    )
    os.close(theirs)
    run = Run(home, terminal)
    try:
        yield run
    finally:
        run.close_terminal()
        for pid in (run.pid, shell.pid):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        shell.wait()


def test_a_closed_terminal_stops_the_run(tmp_path: Path) -> None:
    """Everything is stopped cleanly, although nothing can be printed any more."""
    with started(tmp_path, FOREGROUND) as run:
        run.close_terminal()

        assert run.has_ended_well()


def test_under_nohup_the_run_goes_on_without_its_terminal(tmp_path: Path) -> None:
    """Neither the signal nor the missing reader ends it; a stop still does."""
    with started(tmp_path, UNDER_NOHUP) as run:
        run.close_terminal()
        os.kill(run.pid, signal.SIGHUP)

        assert run.goes_on()
        os.kill(run.pid, signal.SIGTERM)
        assert run.has_ended_well()


def test_a_run_in_a_scripts_background_ignores_its_ctrl_c(tmp_path: Path) -> None:
    """A shell that runs a script ignores SIGINT for what it starts with `&`, which stays so."""
    with started(tmp_path, IN_BACKGROUND) as run:
        os.kill(run.pid, signal.SIGINT)

        assert run.goes_on()
        os.kill(run.pid, signal.SIGTERM)
        assert run.has_ended_well()


@pytest.mark.parametrize("first", [signal.SIGINT, signal.SIGHUP, signal.SIGTERM])
def test_several_signals_stop_the_run_once(tmp_path: Path, first: signal.Signals) -> None:
    """A second Ctrl-C, or a terminal that is closed meanwhile, does not interrupt the stop."""
    with started(tmp_path, FOREGROUND) as run:
        with suppress(ProcessLookupError):
            for number in (first, signal.SIGINT, signal.SIGHUP, signal.SIGTERM) * 3:
                os.kill(run.pid, number)
        run.close_terminal()

        assert run.has_ended_well()
