"""Dead letters: events that could not be handled, recorded to be inspected and resent."""

import hashlib
import json
from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, Any

import grpc.aio
from cloudevents.http import CloudEvent
from fastapi import APIRouter, Path
from sqlalchemy import (
    Column,
    Connection,
    Index,
    Integer,
    MetaData,
    Row,
    String,
    Table,
    Text,
    UniqueConstraint,
    func,
    insert,
    select,
    update,
)

from orderflow_contracts.dead_letters import DeadLetter
from orderflow_contracts.fields import Clock, now
from orderflow_contracts.numbers import TypedNumber
from orderflow_hosting.access import Role, changes, reads
from orderflow_hosting.dapr_app import DaprApp
from orderflow_hosting.database import Database, Utc
from orderflow_hosting.events import STRUCTURED
from orderflow_hosting.pages import After, Limit, Page, number_after, numbered_page
from orderflow_hosting.problems import Problem, documented
from orderflow_hosting.sidecar import Sidecar

MOST_NESTED = 50
RETRIES_EXHAUSTED = "could not be handled: all retries failed"


LetterId = Annotated[TypedNumber, Path(ge=1, le=2**31 - 1, examples=[1])]


def dead_letter_table(tables: MetaData, subject: str) -> Table:
    """Add the table of dead letters to a service's own; `subject` names one of its columns."""
    return Table(
        "dead_letters",
        tables,
        Column("id", Integer, primary_key=True),
        Column("topic", String(200), nullable=False),
        Column("event_id", String(300), nullable=False),
        Column("digest", String(64), nullable=False),
        Column(subject, String(64), key="subject"),
        Column("reason", Text, nullable=False),
        Column("data", Text, nullable=False),
        Column("received_at", Utc, nullable=False),
        Column("resent_at", Utc),
        UniqueConstraint("topic", "event_id", "digest"),
        Index("dead_letters_by_resent", "resent_at", "id"),
    )


class DeadLetters:
    """The dead letters of one service, recorded when an event is refused and when one arrives.

    `subject_of` finds in an event's data what the event is about, if that can be read.
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
        self._subject_of = subject_of
        self._clock = clock

    def listen(self, app: DaprApp, topics: Sequence[str]) -> None:
        """Record what the sidecar moves to the dead-letter topics of these topics."""
        for topic in topics:
            app.on_dead_letters(topic, self._arrived(topic))

    def _arrived(self, topic: str) -> Callable[[CloudEvent], Awaitable[None]]:
        async def keep(event: CloudEvent) -> None:
            def work(connection: Connection) -> None:
                subject = self._subject_of(event.data)
                if not self._keep(connection, topic, event, RETRIES_EXHAUSTED, subject):
                    connection.execute(
                        update(self._table)
                        .where(*self._is(topic, event), self._table.c.resent_at.is_not(None))
                        .values(received_at=self._clock(), resent_at=None)
                    )

            await self._database.write(work)

        return keep

    async def refuse(self, topic: str, event: CloudEvent, reason: str, subject: str | None) -> None:
        """Record why an event is refused; what arrives on the dead-letter topic does not say."""

        def work(connection: Connection) -> None:
            if not self._keep(connection, topic, event, reason, subject):
                connection.execute(
                    update(self._table)
                    .where(*self._is(topic, event))
                    .values(reason=_storable(reason), received_at=self._clock(), resent_at=None)
                )

        await self._database.write(work)

    async def page(
        self, limit: int, after: str | None, *, waiting: bool | None = None
    ) -> Page[DeadLetter]:
        """Read a page, newest first: all, only those waiting, or only those resent."""
        query = select(self._table).order_by(self._table.c.id.desc()).limit(limit + 1)
        if waiting is not None:
            is_waiting = self._table.c.resent_at.is_(None)
            query = query.where(is_waiting if waiting else ~is_waiting)
        before = number_after(after)
        if before is not None:
            query = query.where(self._table.c.id < before)
        rows = await self._database.read(lambda connection: connection.execute(query).all())
        return numbered_page([(row.id, _read(row)) for row in rows], limit)

    async def waiting(self, most: int) -> int:
        """Count those waiting, up to `most`."""
        some = select(self._table.c.id).where(self._table.c.resent_at.is_(None)).limit(most)
        query = select(func.count()).select_from(some.subquery())
        return await self._database.read(lambda connection: connection.scalar(query)) or 0

    async def resend(self, letter_id: int) -> None:
        """Publish the event once more on its topic, under its own id."""
        query = select(self._table).where(self._table.c.id == letter_id)
        row = await self._database.read(lambda connection: connection.execute(query).one_or_none())
        if row is None:
            raise Problem(404, "DEAD_LETTER_NOT_FOUND", f"there is no dead letter {letter_id}")
        event = {
            "specversion": "1.0",
            "id": row.event_id,
            "type": "com.orderflow.dead-letter.resent.v1",
            "source": "/orderflow/dead-letters",
            "datacontenttype": "application/json",
            "data": json.loads(row.data),
        }
        try:
            await self._sidecar.publish_raw(row.topic, json.dumps(event).encode(), STRUCTURED)
        except grpc.aio.AioRpcError as error:
            reason = error.details() or error.code().name
            raise Problem(503, "SIDECAR_UNAVAILABLE", f"could not be sent: {reason}") from error
        # By now the event may have been refused again: then it stays waiting.
        unchanged = self._table.c.received_at == row.received_at
        mark = update(self._table).where(self._table.c.id == letter_id, unchanged)
        mark = mark.values(resent_at=self._clock())
        await self._database.write(lambda connection: connection.execute(mark))

    def _is(self, topic: str, event: CloudEvent) -> tuple[Any, ...]:
        columns = self._table.c
        return (
            columns.topic == topic,
            columns.event_id == _event_id(event),
            columns.digest == _digest(event),
        )

    def _keep(
        self,
        connection: Connection,
        topic: str,
        event: CloudEvent,
        reason: str,
        subject: str | None,
    ) -> bool:
        """Insert the event unless it is recorded; return whether it was new."""
        known = select(self._table.c.id).where(*self._is(topic, event))
        if connection.execute(known).one_or_none() is not None:
            return False
        connection.execute(
            insert(self._table).values(
                topic=topic,
                event_id=_event_id(event),
                digest=_digest(event),
                subject=subject,
                reason=_storable(reason),
                data=_dump(event),
                received_at=self._clock(),
            )
        )
        return True


def dead_letter_router(letters: DeadLetters) -> APIRouter:
    """Serve the dead letters over HTTP."""
    router = APIRouter(prefix="/dead-letters", tags=["dead letters"])

    @router.get(
        "", summary="List events that could not be handled, newest first", dependencies=[reads()]
    )
    async def list_dead_letters(limit: Limit = 100, after: After = None) -> Page[DeadLetter]:
        return await letters.page(limit, after)

    @router.post(
        "/{letter_id}/resend",
        status_code=202,
        summary="Publish an event once more on its topic, under its own id",
        responses=documented(
            {404: "There is no such dead letter", 503: "The broker is unavailable"}
        ),
        dependencies=[changes(Role.OPERATOR, "dead-letter.resend")],
    )
    async def resend_dead_letter(letter_id: LetterId) -> dict[str, str]:
        await letters.resend(letter_id)
        return {"message": f"dead letter {letter_id} was resent"}

    return router


def _event_id(event: CloudEvent) -> str:
    return _storable(str(event["id"])[:300])


def _storable(text: str) -> str:
    """Remove NUL and escape lone surrogates, which databases would refuse."""
    return text.replace("\0", "").encode("utf-8", "backslashreplace").decode()


def _dump(event: CloudEvent) -> str:
    """Write the data as JSON; data that cannot be shown or resent as it is becomes a text."""
    written = json.dumps(event.data, sort_keys=True)
    return written if _can_be_shown(event.data) else json.dumps(written)


def _can_be_shown(data: object) -> bool:
    """Return whether data is Unicode, not nested too deep, and has only numbers that JSON knows."""
    if _depth_exceeds(data, MOST_NESTED):
        return False
    try:
        json.dumps(data, ensure_ascii=False, allow_nan=False).encode()
    except ValueError:
        return False
    return True


def _depth_exceeds(data: object, most: int) -> bool:
    level = [data]
    for _ in range(most):
        level = [
            child
            for node in level
            if isinstance(node, dict | list)
            for child in (node.values() if isinstance(node, dict) else node)
        ]
        if not level:
            return False
    return True


def _digest(event: CloudEvent) -> str:
    return hashlib.sha256(_dump(event).encode()).hexdigest()


def _read(row: Row[Any]) -> DeadLetter:
    return DeadLetter(
        id=row.id,
        topic=row.topic,
        event_id=row.event_id,
        subject=row.subject,
        reason=row.reason,
        data=json.loads(row.data),
        received_at=row.received_at,
        resent_at=row.resent_at,
    )
