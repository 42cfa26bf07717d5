"""The dead letters of a service: recording, reading, resending and discarding them."""

import asyncio
import json
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

import grpc.aio
from sqlalchemy import ColumnElement, Connection, Table, func, insert, or_, select, update

from orderflow_contracts.dead_letters import DeadLetter, DeadLetterWithData
from orderflow_contracts.fields import Clock, now
from orderflow_contracts.names import event_type
from orderflow_hosting.database import Database
from orderflow_hosting.dead_letters.table import (
    EVENT_ID_LENGTH,
    content_columns,
    event_of,
    identity,
    letter_of,
    letter_with_data_of,
    storable,
)
from orderflow_hosting.events import Event, read_event
from orderflow_hosting.pages import Page, number_after, numbered_page
from orderflow_hosting.problems import Problem
from orderflow_hosting.sidecar import Sidecar

ARRIVED: Final = "it was sent to the dead-letter topic; the reason is not known"

_WAITING: Final = dict.fromkeys(("resent_at", "resent_as", "discarded_at", "discard_reason"))

State = Literal["waiting", "resent", "discarded"]


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """Which dead letters to list; what is None does not matter.

    `reason` and `text` are parts of words, `text` of the reason, the event's id or its subject.
    """

    state: State | None = None
    topic: str | None = None
    reason: str | None = None
    text: str | None = None
    received_from: datetime | None = None
    received_before: datetime | None = None


class DeadLetters:
    """The dead letters of one service.

    `subject_of` finds in an event's content what the event is about, if that can be read.
    """

    def __init__(
        self,
        database: Database,
        table: Table,
        sidecar: Sidecar,
        *,
        subject_of: Callable[[object], str | None],
        clock: Clock = now,
    ) -> None:
        self._database = database
        self._table = table
        self._sidecar = sidecar
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
    ) -> None:
        """Record an event that cannot be handled; one that is recorded waits again."""
        values = {
            "reason": storable(reason),
            "attempts": attempts,
            "received_at": self._clock(),
            **_WAITING,
        }

        def work(connection: Connection) -> None:
            if not self._insert(connection, topic, event, subject, values):
                connection.execute(self._update(topic, event).values(values))

        await self._database.write(work)

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
        wanted: Wanted = Wanted(),  # immutable
    ) -> Page[DeadLetter]:
        """Read a page of those wanted, newest first, without their payloads."""
        columns = self._table.c
        shown = [column for column in columns if column.name not in ("event", "data")]
        query = select(*shown).where(*self._conditions(wanted)).order_by(columns.id.desc())
        before = number_after(after)
        if before is not None:
            query = query.where(columns.id < before)
        rows = await self._database.read(
            lambda connection: connection.execute(query.limit(limit + 1)).all()
        )
        return numbered_page([(row.id, letter_of(row)) for row in rows], limit)

    def _conditions(self, wanted: Wanted) -> list[ColumnElement[bool]]:
        columns = self._table.c
        conditions: list[ColumnElement[bool]] = []
        if wanted.state is not None:
            is_resent, is_discarded = (
                columns.resent_at.is_not(None),
                columns.discarded_at.is_not(None),
            )
            conditions += {
                "waiting": [~is_resent, ~is_discarded],
                "resent": [is_resent],
                "discarded": [is_discarded],
            }[wanted.state]
        if wanted.topic is not None:
            conditions.append(columns.topic == wanted.topic)
        if wanted.reason is not None:
            conditions.append(columns.reason.icontains(wanted.reason, autoescape=True))
        if wanted.text is not None:
            places = (columns.reason, columns.event_id, columns.subject)
            conditions.append(
                or_(*(place.icontains(wanted.text, autoescape=True) for place in places))
            )
        if wanted.received_from is not None:
            conditions.append(columns.received_at >= wanted.received_from)
        if wanted.received_before is not None:
            conditions.append(columns.received_at < wanted.received_before)
        return conditions

    async def waiting(self, most: int) -> int:
        """Count those waiting, up to `most`."""
        some = select(self._table.c.id).where(*self._conditions(Wanted(state="waiting")))
        query = select(func.count()).select_from(some.limit(most).subquery())
        return await self._database.read(lambda connection: connection.scalar(query)) or 0

    async def letter(self, letter_id: int) -> DeadLetterWithData:
        """Read one with its payload; raise the problem `DEAD_LETTER_NOT_FOUND` without it."""
        row = await self._row(letter_id)
        return await asyncio.to_thread(letter_with_data_of, row)  # a large one takes its time

    async def resend(self, letter_id: int, corrected: object = None) -> str:
        """Publish an event once more on its topic, and return its id.

        Without a correction the bytes are the same, and so are id and source. A corrected event is
        a CloudEvent, or the data of one; it gets an id of its own and names the first one's.
        """
        row = await self._row(letter_id)
        event = event_of(row)
        if corrected is not None:
            event = read_event(_corrected(event, row.topic, corrected))
        try:
            await self._sidecar.publish_raw(row.topic, event.raw)
        except grpc.aio.AioRpcError as error:
            reason = error.details() or error.code().name
            raise Problem(503, "SIDECAR_UNAVAILABLE", f"could not be sent: {reason}") from error
        # By now the event may have been refused again: then it stays waiting.
        unchanged = self._table.c.received_at == row.received_at
        mark = update(self._table).where(self._table.c.id == letter_id, unchanged)
        sent = {"resent_at": self._clock(), "resent_as": storable(event.key)[:EVENT_ID_LENGTH]}
        mark = mark.values({**_WAITING, **sent})
        await self._database.write(lambda connection: connection.execute(mark))
        return event.key

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


def _corrected(event: Event, topic: str, corrected: object) -> bytes:
    """Write a corrected event, with an id of its own and a link to the one it corrects."""
    is_envelope = isinstance(corrected, dict) and "specversion" in corrected
    given: dict[str, Any] = dict(corrected) if is_envelope else {"data": corrected}  # type: ignore[call-overload]
    defaults = {
        "specversion": "1.0",
        "type": event.type or event_type(topic),
        "source": "/orderflow/dead-letters",
        "datacontenttype": "application/json",
    }
    own = {"id": str(uuid.uuid4()), "correctsid": event.key}
    if event.source is not None:
        own["correctssource"] = event.source
    return json.dumps({**defaults, **given, **own}).encode()
