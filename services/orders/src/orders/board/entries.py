"""The entries of an order's timeline."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from orderflow_contracts.orders import OrderStatus


class Kind(StrEnum):
    """What an entry is about."""

    STATUS = "status"
    STEP = "step"
    UNDO = "undo"
    WAIT = "wait"
    MARK = "mark"


class State(StrEnum):
    """The progress of an entry."""

    DONE = "done"
    RUNNING = "running"
    RETRYING = "retrying"
    FAILED = "failed"
    STOPPED = "stopped"


@dataclass(frozen=True)
class Attempt:
    """One attempt at a step: how long it took, and the error if it failed."""

    at: datetime
    seconds: float | None = None
    error: str | None = None


@dataclass(frozen=True)
class Entry:
    """One line of an order's timeline. `seconds` is None while the entry is in progress.

    A step `is_refused` if it ran but had no effect, and `is_undone` if its effect was undone later.
    """

    at: datetime
    kind: Kind
    title: str
    name: str = ""
    state: State = State.DONE
    seconds: float | None = None
    attempts: tuple[Attempt, ...] = ()
    status: OrderStatus | None = None
    reason: str | None = None
    detail: str | None = None
    note: str = ""
    is_refused: bool = False
    is_undone: bool = False

    @property
    def failures(self) -> tuple[Attempt, ...]:
        """The attempts that failed."""
        return tuple(attempt for attempt in self.attempts if attempt.error is not None)
