"""Resends one or many dead letters, each with an audit entry and an outcome of its own."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from orderflow_hosting.access import Audit, Principal
from orderflow_hosting.dead_letters import DeadLetters
from orderflow_hosting.problems import Problem

ACTION: Final = "dead-letter.resend"
UNAVAILABLE: Final = 503


@dataclass
class Resent:
    """The outcome: which letters were resent, and why each of the others was not."""

    sent: list[int] = field(default_factory=list)
    failed: list[tuple[int, str]] = field(default_factory=list)
    status: int = 200


async def resend(
    letters: DeadLetters, audit: Audit, principal: Principal, letter_ids: Sequence[int]
) -> Resent:
    """Resend each; once the broker is unavailable, the rest are not tried."""
    outcome = Resent()
    for place, letter_id in enumerate(letter_ids):
        entry = await audit.begin(principal, ACTION, str(letter_id), {})
        try:
            await letters.resend(letter_id)
        except Problem as problem:
            await audit.end(entry, problem.code)
            outcome.status = max(outcome.status, problem.status)
            outcome.failed.append((letter_id, problem.detail))
            if problem.status == UNAVAILABLE:
                left = letter_ids[place + 1 :]
                outcome.failed += [
                    (each, "not tried, because the broker is unavailable") for each in left
                ]
                break
        except Exception:
            await audit.end(entry, "INTERNAL_ERROR")
            raise
        else:
            await audit.end(entry, "done")
            outcome.sent.append(letter_id)
    return outcome
