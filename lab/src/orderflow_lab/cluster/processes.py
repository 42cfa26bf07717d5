"""The cluster's processes: started, waited for, and checked for early ends."""

import contextlib
import os
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import BinaryIO, Final, cast

from orderflow_lab.cluster.layout import Layout
from orderflow_tools.errors import PlatformError
from orderflow_tools.proxies import without
from orderflow_tools.supervision.signals import describe_end

PAUSE: Final = 0.2
"""Seconds between two checks whether a part is ready."""
TAIL: Final = 12


class Processes:
    """The processes that a cluster has started. The prefix `enter` runs a command in the node."""

    def __init__(self, layout: Layout, enter: Sequence[str] = ()) -> None:
        self._layout = layout
        self._enter = list(enter)
        self._started: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str, command: Sequence[str | Path]) -> "subprocess.Popen[bytes]":
        """Start a command in its own session, which Ctrl-C does not reach."""
        self._layout.logs.mkdir(parents=True, exist_ok=True)
        with self.log(name).open("wb") as log:
            process = subprocess.Popen(
                [*self._enter, *map(str, command)],
                env=without(os.environ),  # the API server would call its webhooks by a proxy
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._started[name] = process
        return process

    def run(self, command: Sequence[str | Path]) -> str:
        """Run a command and return its output; raise PlatformError if it fails."""
        outcome = subprocess.run(
            [*self._enter, *map(str, command)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
        _check(command, outcome.returncode, outcome.stderr or outcome.stdout)
        return outcome.stdout

    def feed(self, command: Sequence[str | Path], write: Callable[[BinaryIO], None]) -> None:
        """Run a command on the input that `write` produces; raise PlatformError if it fails."""
        with subprocess.Popen(
            [*self._enter, *map(str, command)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        ) as process:
            # A command that ends early explains itself by its exit code and its errors.
            with contextlib.suppress(BrokenPipeError):
                write(cast(BinaryIO, process.stdin))
            _, errors = process.communicate()
        _check(command, process.returncode, errors.decode(errors="replace"))

    def wait(self, name: str, ready: Callable[[], bool], timeout: float) -> None:
        """Return when a part is ready; raise PlatformError at the timeout, or if a process ends."""
        deadline = time.monotonic() + timeout
        while not ready():
            self.raise_if_ended()
            if time.monotonic() > deadline:
                raise PlatformError(
                    f"{name} was not ready within {timeout:.0f} s.{self.last_lines(name)}"
                )
            time.sleep(PAUSE)

    def raise_if_ended(self) -> None:
        """Raise PlatformError if a process has ended; each should live as long as the cluster."""
        for name, process in self._started.items():
            if (code := process.poll()) is not None:
                raise PlatformError(f"{name} {describe_end(code)}.{self.last_lines(name)}")

    def reap(self) -> None:
        """Wait for the processes, which were ended from outside."""
        for process in self._started.values():
            process.wait()
        self._started.clear()

    def log(self, name: str) -> Path:
        """Return the log of a process."""
        return self._layout.logs / f"{name}.log"

    def last_lines(self, name: str) -> str:
        """Return the last lines of a process's log and its path, for an error message."""
        path = self.log(name)
        if not path.exists():
            return f" Logs are in {self._layout.logs}."
        last = path.read_text(errors="replace").splitlines()[-TAIL:]
        shown = "".join(f"\n  {line[:240]}" for line in last)
        return f" Its last lines:{shown}\nThe whole log is {path}."


def _check(command: Sequence[str | Path], code: int, output: str) -> None:
    if code:
        raise PlatformError(f"{' '.join(map(str, command))} {describe_end(code)}: {output.strip()}")
