"""What became of the events that were resent, found in the service's own records."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Table, select

from orderflow_contracts.dead_letters import Outcome
from orderflow_hosting.access.audit import DONE, Audit, AuditEntry
from orderflow_hosting.database import Database
from orderflow_hosting.dead_letters.table import event_of, identity
from orderflow_hosting.events import Event, read_event

RESEND: Final = "dead-letter.resend"
DISCARD: Final = "dead-letter.discard"
MOST_ACTIONS: Final = 50
"""How many of the latest actions on a dead letter are read."""

UNKNOWN: Final = Outcome(state="unknown")


@dataclass(frozen=True)
class Known:
    """What a service has a record of: its kind in a word, its id, and its status now."""

    kind: str
    id: str
    status: str


Find = Callable[[str, Event], Awaitable[Known | None]]
"""Finds what an event of a topic is about, if there is a record of it."""


class Outcomes:
    """Finds out what people did with dead letters, and what came of it."""

    def __init__(
        self, database: Database, letters: Table, parked: Table, audit: Audit, find: Find
    ) -> None:
        self._database = database
        self._letters = letters
        self._parked = parked
        self._audit = audit
        self._find = find

    async def actions(self, letter_id: int) -> list[AuditEntry]:
        """Return who resent, corrected or discarded a dead letter, latest first."""
        return await self._audit.page(MOST_ACTIONS, None, str(letter_id), actions=(RESEND, DISCARD))

    async def of(self, letter_id: int) -> Outcome | None:
        """Return what became of a dead letter's event; None if it was not resent."""
        query = select(self._letters).where(self._letters.c.id == letter_id)
        row = await self._database.read(lambda connection: connection.execute(query).one_or_none())
        if row is None:
            return None
        if row.resent_as is None:
            return await self._refused_again(row)
        event = _sent_event(row)
        if event is None:
            return UNKNOWN
        return await self._stored_again(row, event) or await self._recorded(row.topic, event)

    async def _refused_again(self, row: Any) -> Outcome | None:
        """Recognise an event that came back: its own dead letter is waiting again."""
        for entry in await self.actions(row.id):
            was_resent = entry.action == RESEND and not is_correction(entry)
            if was_resent and entry.outcome == DONE and entry.at <= row.received_at:
                return Outcome(state="dead_letter", dead_letter=row.id)
        return None

    async def _stored_again(self, row: Any, event: Event) -> Outcome | None:
        key = identity(row.topic, event)
        again = select(self._letters.c.id).filter_by(**key).where(self._letters.c.id != row.id)
        parked = select(self._parked.c.id).filter_by(**key)
        number = await self._database.read(lambda connection: connection.scalar(again))
        if number is not None:
            return Outcome(state="dead_letter", dead_letter=number)
        if await self._database.read(lambda connection: connection.scalar(parked)) is not None:
            return Outcome(state="parked")
        return None

    async def _recorded(self, topic: str, event: Event) -> Outcome:
        known = await self._find(topic, event)
        if known is None:
            return UNKNOWN
        return Outcome(state="recorded", kind=known.kind, id=known.id, status=known.status)


def is_correction(entry: AuditEntry) -> bool:
    """Whether an action resent an event corrected: only then was there something to send."""
    details = entry.details if isinstance(entry.details, dict) else {}
    body = details.get("body") or details.get("cut")
    return entry.action == RESEND and bool(body) and body != "null"


def _sent_event(row: Any) -> Event | None:
    """Return the event that was resent; None if an earlier version stored no correction."""
    event = read_event(row.resent_event) if row.resent_event is not None else event_of(row)
    sent_id = identity(row.topic, event)["event_id"]
    return event if sent_id == row.resent_as else None
