"""What a check is, and what it finds."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from orderflow_contracts.doctor import NOT_COMPARED, Finding, Kind

Heal = Callable[[], Awaitable[object]]


@dataclass(frozen=True)
class Disagreement:
    """Something that disagrees, as it was seen at one moment.

    `evidence` is the same as long as the state does not change. `heal` is
    safe to run at any time and more than once; without it, a person has to act.
    """

    kind: Kind
    about: str
    detail: str
    evidence: str = ""
    heal: Heal | None = None

    @property
    def key(self) -> tuple[str, str, str]:
        """The same for two sightings of the same disagreement."""
        return self.kind.name, self.about, self.evidence

    @property
    def finding(self) -> Finding:
        """What people see of it."""
        return Finding(
            about=self.about, kind=self.kind.name, detail=self.detail, remedy=self.kind.remedy
        )


@dataclass(frozen=True)
class Look:
    """What one page of a comparison shows, and where the next page begins, if there is one."""

    disagreements: Sequence[Disagreement] = ()
    next: str | None = None


class Check(Protocol):
    """Compares one kind of thing, a page at a time.

    What is in flight may look like a disagreement: whoever acts on one must have seen it twice.
    """

    @property
    def name(self) -> str:
        """What is compared, for people."""
        ...

    @property
    def pages_in_a_round(self) -> int:
        """How many pages the reconciler reads in a round; 0 if that would cost too much."""
        ...

    async def page(self, after: str | None) -> Look:
        """Compare one page."""
        ...

    async def of(self, subject: str) -> Sequence[Disagreement]:
        """Compare what belongs to one subject."""
        ...


def not_compared(check: Check, error: Exception) -> Disagreement:
    """Return what is found if a check cannot be made."""
    return Disagreement(NOT_COMPARED, check.name, f"{type(error).__name__}: {error}")
