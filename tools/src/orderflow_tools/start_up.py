"""Waits for the parts of the platform to become ready, and says why one does not."""

import re
import time
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Final

from orderflow_tools.errors import PlatformError
from orderflow_tools.readiness import Check
from orderflow_tools.settings import Settings
from orderflow_tools.supervision import processes

START_TIMEOUT: Final = 90.0
"""Seconds after which a start fails if a part is not ready; a few seconds are normal."""
PAUSE: Final = 0.05
"""Seconds between two checks of a part."""

Step = Callable[[str], AbstractContextManager[None]]


def silent(_title: str) -> AbstractContextManager[None]:
    """Show no progress."""
    return nullcontext()


class StartUp:
    """Waits for checks to pass; each runs inside `step(title)`, which can show progress."""

    def __init__(self, settings: Settings, step: Step) -> None:
        self._settings = settings
        self.step = step
        self._examined = 0

    def reset(self) -> None:
        """Begin with the first report again, after the file of reports was emptied."""
        self._examined = 0

    def wait(self, checks: Iterable[Check], timeout: float) -> None:
        """Return when all checks pass.

        Raises PlatformError after the timeout in seconds, or when a process is given up.
        """
        deadline = time.monotonic() + timeout
        for check in checks:
            with self.step(check.title):
                while (reason := check.ask()) is not None:
                    self._raise_if_given_up()
                    if time.monotonic() > deadline:
                        raise PlatformError(self._overdue(check, reason, timeout))
                    time.sleep(PAUSE)

    def _raise_if_given_up(self) -> None:
        new, self._examined = processes.reports_since(self._settings, self._examined)
        for report in new:
            if report.event == "gave_up":
                tail = f"\nIts last lines:\n{_explaining(report.tail)}" if report.tail else ""
                log = self._log(report.name)
                raise PlatformError(f"{report.name} {report.text}.{tail}\nThe whole log is {log}.")

    def _overdue(self, check: Check, reason: str, timeout: float) -> str:
        log = self._log(check.process)
        return f"{check.title} is not ready after {timeout:.0f} s: {reason}. See {log}."

    def _log(self, name: str) -> Path:
        return self._settings.logs / f"{name}.log"


def _explaining(tail: str) -> str:
    """Return the lines that explain why a process ended: Dapr's errors, or else all lines."""
    errors = re.findall(r'level=(?:error|fatal) msg="((?:[^"\\]|\\.)*)"', tail)
    return "\n".join(f"  {line}" for line in errors or tail.splitlines())
