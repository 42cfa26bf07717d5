"""The dead letters of a service: recording, reading, resending and discarding them."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Final

from sqlalchemy import Connection, Table, func, insert, select, update

from orderflow_contracts.dead_letters import DeadLetter, DeadLetterWithData
from orderflow_contracts.fields import Clock, now
from orderflow_contracts.names import is_dead_letter_topic
from orderflow_hosting.database import Database
from orderflow_hosting.dead_letters.correcting import corrected_event
from orderflow_hosting.dead_letters.table import (
    EVENT_ID_LENGTH,
    Preview,
    content_columns,
    event_of,
    identity,
    letter_of,
    letter_with_data_of,
    preview_of,
    storable,
)
from orderflow_hosting.dead_letters.wanted import EVERY_LETTER, Wanted
from orderflow_hosting.events import Event, read_event
from orderflow_hosting.outbox import Message, add_within, unchanged
from orderflow_hosting.pages import Page, number_after, numbered_page
from orderflow_hosting.problems import Problem

ARRIVED: Final = "it was sent to the dead-letter topic; the reason is not known"

_WAITING: Final = dict.fromkeys(
    ("resent_at", "resent_as", "resent_event", "discarded_at", "discard_reason")
)
_LARGE: Final = frozenset({"event", "data", "resent_event"})


class DeadLetters:
    """The dead letters of one service.

    `subject_of` finds in an event's content what the event is about, if that can be read.
    """

    def __init__(
        self,
        database: Database,
        table: Table,
        *,
        subject_of: Callable[[object], str | None],
        clock: Clock = now,
    ) -> None:
        self._database = database
        self._table = table
        self.subject_of = subject_of
        self._clock = clock

    async def record(
        self,
        topic: str,
        event: Event,
        reason: str,
        *,
        attempts: int = 1,
        subject: str | None = None,
        along: Callable[[Connection], None] | None = None,
    ) -> None:
        """Record an event that cannot be handled; one that is recorded waits again.

        `along` is done in the same transaction.
        """

        def work(connection: Connection) -> None:
            self._record(connection, topic, event, reason, attempts, subject)
            if along is not None:
                along(connection)

        await self._database.write(work)

    def _record(
        self,
        connection: Connection,
        topic: str,
        event: Event,
        reason: str,
        attempts: int = 1,
        subject: str | None = None,
    ) -> None:
        at = self._clock()
        values = {"reason": storable(reason), "attempts": attempts, "received_at": at, **_WAITING}
        if not self._insert(connection, topic, event, subject, values):
            connection.execute(self._update(topic, event).values(values))

    async def arrived(self, topic: str, event: Event) -> None:
        """Record what arrives on the dead-letter topic, unless its reason is recorded already."""
        values = {"reason": ARRIVED, "attempts": 1, "received_at": self._clock()}

        def work(connection: Connection) -> None:
            if not self._insert(connection, topic, event, None, values):
                was_resent = self._table.c.resent_at.is_not(None)
                again = self._update(topic, event).where(was_resent)
                connection.execute(again.values(received_at=values["received_at"], **_WAITING))

        await self._database.write(work)

    def _insert(
        self,
        connection: Connection,
        topic: str,
        event: Event,
        subject: str | None,
        values: dict[str, Any],
    ) -> bool:
        """Insert the event unless it is recorded; return whether it was new."""
        known = select(self._table.c.id).filter_by(**identity(topic, event))
        if connection.execute(known).first() is not None:
            return False
        connection.execute(
            insert(self._table).values(
                **identity(topic, event),
                **content_columns(event),
                **values,
                subject=subject or self.subject_of(event.content),
            )
        )
        return True

    def _update(self, topic: str, event: Event) -> Any:
        return update(self._table).filter_by(**identity(topic, event))

    async def page(
        self,
        limit: int,
        after: str | None,
        wanted: Wanted = EVERY_LETTER,
    ) -> Page[DeadLetter]:
        """Read a page of those wanted, newest first, without their payloads."""
        columns = self._table.c
        shown = [column for column in columns if column.name not in _LARGE]
        query = select(*shown).where(*wanted.conditions(self._table)).order_by(columns.id.desc())
        before = number_after(after)
        if before is not None:
            query = query.where(columns.id < before)
        rows = await self._database.read(
            lambda connection: connection.execute(query.limit(limit + 1)).all()
        )
        return numbered_page([(row.id, letter_of(row)) for row in rows], limit)

    async def waiting(self, most: int) -> int:
        """Count those waiting, up to `most`."""
        some = select(self._table.c.id).where(*Wanted(state="waiting").conditions(self._table))
        query = select(func.count()).select_from(some.limit(most).subquery())
        return await self._database.read(lambda connection: connection.scalar(query)) or 0

    async def letter(self, letter_id: int) -> DeadLetterWithData:
        """Read one with its payload; raise the problem `DEAD_LETTER_NOT_FOUND` without it."""
        row = await self._row(letter_id)
        return await asyncio.to_thread(letter_with_data_of, row)  # a large one takes its time

    async def previews(self, letter_ids: Sequence[int]) -> list[Preview]:
        """Read some with the beginning of their payloads, newest first; missing ones are left out.

        Unlike `letter`, this reads no whole payload.
        """
        columns = self._table.c
        shown = [column for column in columns if column.name not in ("event", "resent_event")]
        query = select(*shown, func.length(columns.event).label("size"))
        query = query.where(columns.id.in_(letter_ids)).order_by(columns.id.desc())
        rows = await self._database.read(lambda connection: connection.execute(query).all())
        return [preview_of(row) for row in rows]

    async def resend(self, letter_id: int, corrected: object = None) -> str:
        """Promise to publish an event once more on its topic, and return its id.

        Without a correction the bytes are the same, and so are id and source. A corrected event is
        a CloudEvent, or the data of one; it gets an id of its own and names the first one's.
        """
        row = await self._row(letter_id)
        event = event_of(row)
        if corrected is not None:
            event = corrected_event(event, row.topic, corrected)
        mark = update(self._table).where(self._table.c.id == letter_id)
        sent = {
            "resent_at": self._clock(),
            "resent_as": storable(event.key)[:EVENT_ID_LENGTH],
            "resent_event": None if corrected is None else event.raw,
        }

        def work(connection: Connection) -> None:
            connection.execute(mark.values({**_WAITING, **sent}))
            add_within(connection, unchanged(row.topic, event))

        await self._database.write(work)
        return event.key

    def take_back_within(self, connection: Connection, message: Message, reason: str) -> None:
        """Record an event that no sidecar accepts, so that it waits again.

        What was to be published on a dead-letter topic is recorded already.
        """
        if not is_dead_letter_topic(message.topic):
            self._record(connection, message.topic, read_event(message.event), reason)

    async def discard(self, letter_id: int, reason: str) -> None:
        """Mark one as needing nothing more, with the reason; it stays recorded."""
        mark = update(self._table).where(self._table.c.id == letter_id)
        mark = mark.values(discarded_at=self._clock(), discard_reason=storable(reason))
        marked = await self._database.write(lambda connection: connection.execute(mark).rowcount)
        if not marked:
            raise _missing(letter_id)

    async def _row(self, letter_id: int) -> Any:
        query = select(self._table).where(self._table.c.id == letter_id)
        row = await self._database.read(lambda connection: connection.execute(query).one_or_none())
        if row is None:
            raise _missing(letter_id)
        return row


def _missing(letter_id: int) -> Problem:
    return Problem(404, "DEAD_LETTER_NOT_FOUND", f"there is no dead letter {letter_id}")
