"""Compares everything on demand, and heals on demand what it is safe to heal."""

import asyncio
from collections.abc import Iterable, Sequence
from typing import Final

import structlog

from orderflow_contracts.doctor import Diagnosis, Finding, Treatment
from orderflow_hosting.background import Sleep
from orderflow_hosting.doctor.checks import Check, Disagreement, Look, not_compared

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

SECONDS_APART: Final = 5.0
"""The time between two looks: what is in flight has changed by then."""
MOST_PAGES_AGAIN: Final = 50
"""A check stops at this many pages with disagreements: they are enough to act on."""


class Doctor:
    """Looks at everything, or at one subject, and reports what it has seen twice."""

    def __init__(
        self, checks: Sequence[Check], *, most: int = 500, sleep: Sleep = asyncio.sleep
    ) -> None:
        self._checks = checks
        self._most = most
        self._sleep = sleep

    async def diagnose(self, subject: str | None = None) -> Diagnosis:
        """Return what disagrees, up to a limit."""
        found = await self._seen_twice(subject)
        findings = tuple(each.finding for each in found)
        return Diagnosis(agrees=not findings, findings=findings)

    async def fix(self, subject: str | None = None) -> Treatment:
        """Heal what it is safe to heal; return what was healed, and what is left."""
        healed: list[Finding] = []
        left: list[Finding] = []
        for each in await self._seen_twice(subject):
            (healed if await healed_now(each) else left).append(each.finding)
        return Treatment(agrees=not left, healed=tuple(healed), left=tuple(left))

    async def _seen_twice(self, subject: str | None) -> list[Disagreement]:
        first = [await self._look(check, subject) for check in self._checks]
        if not any(first):
            return []
        await self._sleep(SECONDS_APART)
        found: list[Disagreement] = []
        for check, pages in zip(self._checks, first, strict=True):
            seen = {key for keys in pages.values() for key in keys}
            again: dict[tuple[str, str, str], Disagreement] = {}
            for after in pages:
                look = await page_of(check, after, subject)
                again |= {each.key: each for each in look.disagreements if each.key in seen}
            found += again.values()
        return found[: self._most]

    async def _look(
        self, check: Check, subject: str | None
    ) -> dict[str | None, set[tuple[str, str, str]]]:
        """Return the pages with disagreements, by where they begin."""
        pages: dict[str | None, set[tuple[str, str, str]]] = {}
        after = None
        while len(pages) < MOST_PAGES_AGAIN:
            look = await page_of(check, after, subject)
            if look.disagreements:
                pages[after] = keys_of(look.disagreements)
            after = look.next
            if after is None:
                break
        return pages


async def page_of(check: Check, after: str | None, subject: str | None = None) -> Look:
    """Compare a page; an error is a disagreement of its own."""
    try:
        if subject is not None:
            return Look(await check.of(subject))
        return await check.page(after)
    except Exception as error:  # noqa: BLE001 # the other comparisons go on, and this is shown
        log.warning("not_compared", check=check.name, why=str(error) or type(error).__name__)
        return Look([not_compared(check, error)])


async def healed_now(each: Disagreement) -> bool:
    """Heal a disagreement; return False if that failed or is not possible."""
    if each.heal is None:
        return False
    fields = {"kind": each.kind.name, "about": each.about, "detail": each.detail}
    try:
        await each.heal()
    except Exception as error:  # noqa: BLE001 # it is found again, and healed then
        log.warning("disagreement_not_healed", **fields, why=str(error) or type(error).__name__)
        return False
    log.warning("disagreement_healed", **fields)
    return True


def keys_of(disagreements: Iterable[Disagreement]) -> set[tuple[str, str, str]]:
    """Return the keys of disagreements."""
    return {each.key for each in disagreements}
