"""A check whose disagreements a test sets."""

from collections.abc import Sequence

from orderflow_hosting.doctor import Disagreement, Look


class SetCheck:
    """Implements `Check`: pages are numbered from 0, and each has the disagreements set for it."""

    name = "things"

    def __init__(self, pages: int = 1, pages_in_a_round: int = 1) -> None:
        self.pages: list[list[Disagreement]] = [[] for _ in range(pages)]
        self.pages_in_a_round = pages_in_a_round
        self.read: list[int] = []
        self.error: Exception | None = None

    async def page(self, after: str | None) -> Look:
        """Return a page."""
        number = int(after or 0)
        self.read.append(number)
        if self.error is not None:
            raise self.error
        following = number + 1
        return Look(
            list(self.pages[number]), str(following) if following < len(self.pages) else None
        )

    async def of(self, subject: str) -> Sequence[Disagreement]:
        """Return what is about a subject."""
        if self.error is not None:
            raise self.error
        return [each for page in self.pages for each in page if each.about == subject]
