"""`orderflow-tools run` with a platform that only records its calls; run as a program."""

import os
import sys
import time
from pathlib import Path
from typing import Any

from orderflow_tools import main
from orderflow_tools.commands import run
from orderflow_tools.settings import Settings
from orderflow_tools.supervision.processes import Report


class NotedPlatform:
    """Records when it is started and stopped, and always has something to report."""

    made_password = None
    is_running = True
    started = False

    def __init__(self, settings: Settings, **_: Any) -> None:
        self.settings = settings
        self._notes = settings.home / "notes"

    @property
    def runtime(self) -> Any:
        return type("Runtime", (), {"origin": "none"})

    def start(self) -> None:
        self.started = True
        (self.settings.home / "pid").write_text(f"{os.getpid()}\n")
        self._note("started")

    def stop(self) -> list[str]:
        self._note("stopping")
        while not (self.settings.home / "may-stop").exists():  # an interruption leaves it half done
            time.sleep(0.01)
        self._note("stopped")
        return ["orders"]

    def reports(self) -> list[Report]:
        self._note("looked")
        return [Report("orders", "restarted", "was killed", "")]

    def log(self, name: str) -> Path:
        return self.settings.home / name

    def _note(self, what: str) -> None:
        with self._notes.open("a") as notes:
            notes.write(f"{what}\n")


if __name__ == "__main__":
    run.Platform = NotedPlatform  # type: ignore[assignment, attr-defined]  # one, as far as `run` goes
    sys.exit(main.main(["run", "--no-orders"]))
