"""Acts on one or many dead letters, each with an audit entry and an outcome of its own."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from orderflow_hosting.access import Audit, Principal
from orderflow_hosting.dead_letters import DeadLetters
from orderflow_hosting.dead_letters.outcomes import DISCARD, RESEND
from orderflow_hosting.problems import Problem


@dataclass
class Done:
    """The outcome: for which letters it was done, and why for each of the others it was not."""

    verb: str
    letters: list[int] = field(default_factory=list)
    failed: list[tuple[int, str]] = field(default_factory=list)
    status: int = 200


class Acting:
    """Acts on dead letters for one person."""

    def __init__(self, letters: DeadLetters, audit: Audit, principal: Principal) -> None:
        self._letters = letters
        self._audit = audit
        self._principal = principal

    async def resend(self, letter_ids: Sequence[int]) -> Done:
        """Resend each."""
        return await self._each(Done("resent"), letter_ids, RESEND, {}, self._letters.resend)

    async def discard(self, letter_ids: Sequence[int], reason: str) -> Done:
        """Discard each with the reason."""

        async def discard(letter_id: int) -> None:
            await self._letters.discard(letter_id, reason)

        details = {"body": {"reason": reason}}
        return await self._each(Done("discarded"), letter_ids, DISCARD, details, discard)

    async def _each(
        self,
        done: Done,
        letter_ids: Sequence[int],
        action: str,
        details: Mapping[str, Any],
        act: Callable[[int], Awaitable[Any]],
    ) -> Done:
        for letter_id in letter_ids:
            entry = await self._audit.begin(self._principal, action, str(letter_id), details)
            try:
                await act(letter_id)
            except Problem as problem:
                await self._audit.end(entry, problem.code)
                done.status = max(done.status, problem.status)
                done.failed.append((letter_id, problem.detail))
            except Exception:
                await self._audit.end(entry, "INTERNAL_ERROR")
                raise
            else:
                await self._audit.end(entry, "done")
                done.letters.append(letter_id)
        return done
