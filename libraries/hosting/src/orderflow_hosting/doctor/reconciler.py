"""Compares a part of everything again and again, and heals what it has seen twice."""

import contextlib
import itertools
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import structlog

from orderflow_contracts.doctor import NOT_COMPARED
from orderflow_hosting.background import BackgroundWork
from orderflow_hosting.database import Database
from orderflow_hosting.doctor.checks import Check, Disagreement
from orderflow_hosting.doctor.doctor import MOST_PAGES_AGAIN, healed_now, keys_of, page_of
from orderflow_hosting.outbox.lease import Alone, Lease, Turn
from orderflow_hosting.problems import Unavailable

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

ROUND_SECONDS: Final = 15.0
"""The pause between two rounds, so that a disagreement is healed within a minute."""
LEASE_NUMBER: Final = 2
LEASE_SECONDS: Final = 40.0


@dataclass
class _Progress:
    """Where a check continues, and what it has seen on which page, by where the page begins."""

    next: str | None = None
    seen: dict[str | None, set[tuple[str, str, str]]] = field(default_factory=dict)
    raised: set[tuple[str, str, str]] = field(default_factory=set)


class Reconciler:
    """Runs the checks in rounds, on one replica at a time.

    A round reads some pages of each check and, again, those on which something disagreed. As long
    as pages disagree, it reads on: what was lost may be lost altogether. What was seen in an
    earlier round is healed, or raised to a person once.
    """

    def __init__(
        self, checks: Sequence[Check], database: Database, *, turn: Turn | None = None
    ) -> None:
        self._checks = {check: _Progress() for check in checks}
        self._database = database
        shared = Lease(number=LEASE_NUMBER, seconds=LEASE_SECONDS) if database.is_shared else None
        self._turn = turn or shared or Alone()
        self.healed: Counter[str] = Counter()

    def keep_reconciling(self, background: BackgroundWork) -> None:
        """Run rounds for as long as the process runs."""
        pauses = itertools.repeat(ROUND_SECONDS)
        background.repeat(self.run_round, "reconciliation_delayed", pauses=pauses)

    async def run_round(self) -> None:
        """Run one round, unless another replica does."""
        if not await self._database.write(self._turn.take_within, is_change=False):
            return
        for check, progress in self._checks.items():
            await self._run(check, progress)

    async def give_back(self) -> None:
        """Let another replica reconcile at once, because this process stops."""
        with contextlib.suppress(Unavailable):
            await self._database.write(self._turn.give_back_within, is_change=False)

    async def _run(self, check: Check, progress: _Progress) -> None:
        seen = set().union(*progress.seen.values())
        for after in list(progress.seen)[:MOST_PAGES_AGAIN]:
            await self._examine(check, progress, after, seen)
        left, disagrees = check.pages_in_a_round, False
        while left > 0 or disagrees:
            left -= 1
            progress.next, disagrees = await self._examine(check, progress, progress.next, seen)
            if progress.next is None:
                break

    async def _examine(
        self,
        check: Check,
        progress: _Progress,
        after: str | None,
        seen: set[tuple[str, str, str]],
    ) -> tuple[str | None, bool]:
        """Compare a page and act on what was seen before; return where the next page begins."""
        look = await page_of(check, after)
        left = [each for each in look.disagreements if not await self._act(each, progress, seen)]
        former = progress.seen.pop(after, set())
        if left:
            progress.seen[after] = keys_of(left)
        progress.raised -= former - keys_of(left)
        return look.next, bool(look.disagreements)

    async def _act(
        self, each: Disagreement, progress: _Progress, seen: set[tuple[str, str, str]]
    ) -> bool:
        """Heal what was seen before, or raise it to a person; return whether it is healed."""
        if each.key not in seen or each.kind is NOT_COMPARED:
            return False
        if await healed_now(each):
            self.healed[each.kind.name] += 1
            return True
        if each.heal is None and each.key not in progress.raised:
            progress.raised.add(each.key)
            log.warning(
                "disagreement_found",
                kind=each.kind.name,
                about=each.about,
                detail=each.detail,
                remedy=each.kind.remedy,
            )
        return False
