"""The audit trail: who did what, recorded before it is done, and the outcome, recorded after."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from pydantic import BaseModel
from sqlalchemy import Connection, Row, insert, select

from orderflow_contracts.fields import Clock, Moment, now
from orderflow_hosting.access.principal import Principal
from orderflow_hosting.access.tables import AccessTables
from orderflow_hosting.database import Database
from orderflow_hosting.spellings import is_any, record_spellings, spellings

DONE: Final = "done"
MAX_DETAILS: Final = 4000
LONGEST_SUBJECT: Final = 200
SUBJECT: Final = "subject"
"""The kind of name under which spellings of subjects are stored."""


class AuditEntry(BaseModel):
    """An action that someone took or attempted.

    `outcome` is `done` or a problem's code; null while the action is running, or if the service
    stopped before it ended.
    """

    number: int
    at: Moment
    actor: str
    via: str
    action: str
    subject: str
    details: Any
    outcome: str | None
    ended_at: Moment | None


class Audit:
    """The audit trail of one service. Nothing in it can be changed or deleted."""

    def __init__(self, database: Database, tables: AccessTables, clock: Clock = now) -> None:
        self._database = database
        self._entries = tables.audit
        self._outcomes = tables.audit_outcomes
        self._spellings = tables.spellings
        self._clock = clock

    async def begin(
        self, principal: Principal, action: str, subject: str, details: Mapping[str, Any]
    ) -> int:
        """Record an action that is about to start; return the number of the entry."""
        at = self._clock()
        return await self._database.write(
            lambda connection: self._enter(
                connection, at, principal.name, principal.via, action, subject, details
            )
        )

    async def end(self, number: int, outcome: str, subject: str | None = None) -> None:
        """Record the outcome, and the subject if it is known only now."""
        at = self._clock()
        await self._database.write(
            lambda connection: self._close(connection, at, number, outcome, subject)
        )

    def entry_within(
        self,
        connection: Connection,
        *,
        actor: str,
        via: str,
        action: str,
        subject: str,
        details: Mapping[str, Any],
    ) -> None:
        """Record an action that is done in the caller's own transaction."""
        at = self._clock()
        number = self._enter(connection, at, actor, via, action, subject, details)
        self._close(connection, at, number, DONE, None)

    async def page(
        self,
        limit: int,
        before: int | None,
        subject: str | None = None,
        actions: Sequence[str] = (),
    ) -> list[AuditEntry]:
        """Read a page, newest first: entries before a number, about a subject in any spelling.

        If there are `actions`, only entries of these are read.
        """
        entries, outcomes = self._entries, self._outcomes
        query = (
            select(
                entries,
                outcomes.c.outcome,
                outcomes.c.at.label("ended_at"),
                outcomes.c.subject.label("known_subject"),
            )
            .outerjoin(outcomes, outcomes.c.number == entries.c.number)
            .order_by(entries.c.number.desc())
            .limit(limit)
        )
        if before is not None:
            query = query.where(entries.c.number < before)
        if actions:
            query = query.where(entries.c.action.in_(actions))

        def work(connection: Connection) -> Sequence[Row[Any]]:
            if subject is None:
                return connection.execute(query).all()
            names = spellings(connection, self._spellings, SUBJECT, _plain(subject))
            return connection.execute(query.where(is_any(entries.c.subject, names))).all()

        rows = await self._database.read(work)
        return [
            AuditEntry(
                number=row.number,
                at=row.at,
                actor=row.actor,
                via=row.via,
                action=row.action,
                subject=row.known_subject or row.subject,
                details=json.loads(row.details),
                outcome=row.outcome,
                ended_at=row.ended_at,
            )
            for row in rows
        ]

    def _enter(
        self,
        connection: Connection,
        at: datetime,
        actor: str,
        via: str,
        action: str,
        subject: str,
        details: Mapping[str, Any],
    ) -> int:
        entry = insert(self._entries).values(
            at=at,
            actor=actor,
            via=via,
            action=action,
            subject=_plain(subject),
            details=_dump(details),
        )
        record_spellings(connection, SUBJECT, _plain(subject))
        return int(connection.execute(entry.returning(self._entries.c.number)).scalar_one())

    def _close(
        self, connection: Connection, at: datetime, number: int, outcome: str, subject: str | None
    ) -> None:
        """Record the outcome unless it is recorded already: work may be committed twice."""
        columns = self._outcomes.c
        recorded = select(columns.number).where(columns.number == number)
        if connection.execute(recorded).one_or_none() is not None:
            return
        known = _plain(subject) if subject is not None else None
        connection.execute(
            insert(self._outcomes).values(number=number, at=at, outcome=outcome, subject=known)
        )


def _plain(text: str) -> str:
    """Remove what a database cannot store: NUL, lone surrogates, and text that is too long."""
    return text.replace("\0", "")[:LONGEST_SUBJECT].encode(errors="replace").decode()


def _dump(details: Mapping[str, Any]) -> str:
    """Return details as JSON in ASCII, cut off if it is too long."""
    written = json.dumps(details, default=str)
    return written if len(written) <= MAX_DETAILS else json.dumps({"cut": written[:MAX_DETAILS]})
