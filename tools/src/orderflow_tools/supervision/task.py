"""What a supervisor keeps alive, and where its files are."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Task:
    """A command to keep alive: its name, its working directory, and the folder of its run.

    `grace` is the time in seconds between SIGTERM and SIGKILL.
    """

    name: str
    command: tuple[str, ...]
    home: Path
    directory: Path
    grace: float

    @property
    def log(self) -> Path:
        """The file to which the command's output is appended."""
        return self.home / "logs" / f"{self.name}.log"

    @property
    def pid_file(self) -> Path:
        """The file that holds the command's process id while it lives."""
        return self.home / "run" / f"{self.name}.pid"

    @property
    def keeper_file(self) -> Path:
        """The file that holds the supervisor's process id while it lives."""
        return self.home / "run" / f"{self.name}.keeper"

    @property
    def reports_file(self) -> Path:
        """The file to which all supervisors of a run append their reports."""
        return self.home / "run" / "reports.jsonl"
