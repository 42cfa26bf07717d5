"""Chooses where a client of the feed starts, and explains it if the client asked for elsewhere."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple

from pydantic import BaseModel

from orderflow_hosting.pages import read_number

RESET: Final = "reset"
"""The name of the server-sent event that says so. Its id is the position, like that of a change."""


class StoredPositions(NamedTuple):
    """The positions between which the feed can start.

    A client that has everything before the oldest stored change is `before_oldest`. Both are 0 if
    nothing is stored.
    """

    before_oldest: int
    newest: int


class ResetReason(StrEnum):
    """Why the feed does not start at the position that a client sent."""

    UNREADABLE = "unreadable"
    BEYOND_END = "beyond_end"
    REMOVED = "removed"


_DETAILS: Final = {
    ResetReason.UNREADABLE: "This is not a position of the feed, so you may have missed changes.",
    ResetReason.BEYOND_END: "The feed has no such position yet, so you may have missed changes.",
    ResetReason.REMOVED: "Some of the changes after this position are no longer stored.",
}


class Reset(BaseModel):
    """The feed continues after another position than the client sent, for this reason."""

    reason: ResetReason
    position: int
    detail: str


@dataclass(frozen=True)
class Start:
    """The position after which the feed starts, and what is wrong with the one that was sent."""

    position: int
    reason: ResetReason | None = None

    def reset(self) -> Reset | None:
        """Return the notice to the client; None if the feed starts where it asked."""
        if self.reason is None:
            return None
        detail = f"{_DETAILS[self.reason]} Changes after position {self.position} follow."
        return Reset(reason=self.reason, position=self.position, detail=detail)


def choose_start(sent: Iterable[str], stored: StoredPositions) -> Start:
    """Start at the first of the positions sent that can be used, and without one at the end.

    After a position whose next changes were removed, all those that are still stored follow.
    """
    first_reason = None
    for text in sent:
        position = read_number(text)
        if position is None:
            reason = ResetReason.UNREADABLE
        elif position > stored.newest:
            reason = ResetReason.BEYOND_END
        elif position < stored.before_oldest:
            return Start(stored.before_oldest, first_reason or ResetReason.REMOVED)
        else:
            return Start(position, first_reason)
        first_reason = first_reason or reason
    return Start(stored.newest, first_reason)
