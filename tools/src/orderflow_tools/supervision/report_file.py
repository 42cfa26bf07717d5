"""A supervisor's reports: printed, and appended to the run's file as soon as that is possible."""

import contextlib
import json
import os
import select
from collections import deque
from pathlib import Path
from typing import Final

from orderflow_tools.supervision.faults import MACHINE_FAULTS

MAX_PENDING: Final = 20
"""How many reports that cannot be written are remembered."""


class ReportFile:
    """The reports about one command. Those that cannot be written at once are written later."""

    def __init__(self, name: str, path: Path) -> None:
        self._name = name
        self._path = path
        self._pending: deque[str] = deque(maxlen=MAX_PENDING)

    def report(self, event: str, text: str, tail: str = "") -> None:
        """Report an event in words, with the last lines of the command's log if they explain it."""
        report = self._print(event, text, tail)
        if self._pending or not self._write(report):
            self._pending.append(report)

    def report_end(self, text: str, tail: str = "") -> bool:
        """Report that the command is given up; return whether the report is written."""
        return self._write(self._print("gave_up", text, tail))

    def write_pending(self) -> None:
        """Write the reports that could not be written before, as far as possible."""
        while self._pending and self._write(self._pending[0]):
            self._pending.popleft()

    def _print(self, event: str, text: str, tail: str) -> str:
        print_if_read(f"{self._name} {text}{chr(10) + tail if tail else ''}")
        return json.dumps({"name": self._name, "event": event, "text": text, "tail": tail})

    def _write(self, report: str) -> bool:
        try:
            with self._path.open("a") as reports:
                # On a line of its own, even after a report that a full disk has cut off.
                reports.write(f"\n{report}\n")
        except MACHINE_FAULTS:
            return False
        return True


def print_if_read(text: str) -> None:
    """Print a text unless nobody reads standard output, or the reader is too slow."""
    data = f"{text}\n".encode(errors="replace")
    with contextlib.suppress(OSError):
        for begin in range(0, len(data), select.PIPE_BUF):
            if not select.select([], [1], [], 0)[1]:
                return
            os.write(1, data[begin : begin + select.PIPE_BUF])
