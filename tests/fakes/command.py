"""The interface by which tests run the command and see its outcome."""

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
        """The lines on standard output."""
        return self.out.splitlines()


class Run(Protocol):
    """Runs the command with arguments and typed input."""

    def __call__(self, *arguments: str, typed: str = "") -> Outcome: ...
