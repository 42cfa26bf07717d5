"""A run of a command, as a test starts it and sees it end."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Outcome:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        """What it printed."""
        return self.out.splitlines()


class Run(Protocol):
    """Runs the command with arguments and what is typed."""

    def __call__(self, *arguments: str, typed: str = "") -> Outcome: ...
