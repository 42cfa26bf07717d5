"""Events that failed and wait for another attempt, in a table of the service.

They are acknowledged to the broker, so they take no place from other events.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import (
    Column,
    Connection,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Select,
    String,
    Table,
    Text,
    UniqueConstraint,
    delete,
    insert,
    select,
    update,
)

from orderflow_contracts.dead_letters import ParkedEvent
from orderflow_contracts.fields import Clock, now
from orderflow_hosting.background import Backoff
from orderflow_hosting.database import Database, Utc
from orderflow_hosting.dead_letters.table import EVENT_ID_LENGTH, identity, storable
from orderflow_hosting.events import Event
from orderflow_hosting.pages import Page, number_after, numbered_page

BACKOFF: Final = Backoff(first=1.0, longest=60.0)
CLAIMED: Final = timedelta(seconds=30)
"""How long a claimed event is left to the process that claimed it, which may have died."""


def parked_event_table(tables: MetaData) -> Table:
    """Add the table of parked events to a service's own.

    `attempts` counts all, `own_failures` those that are known to be the event's own fault.
    """
    return Table(
        "parked_events",
        tables,
        Column("id", Integer, primary_key=True),
        Column("topic", String(200), nullable=False),
        Column("event_id", String(EVENT_ID_LENGTH), nullable=False),
        Column("digest", String(64), nullable=False),
        Column("event", LargeBinary, nullable=False),
        Column("error", Text, nullable=False),
        Column("attempts", Integer, nullable=False),
        Column("own_failures", Integer, nullable=False),
        Column("parked_at", Utc, nullable=False),
        Column("next_attempt_at", Utc, nullable=False),
        UniqueConstraint("topic", "event_id", "digest"),
        Index("parked_events_by_due", "next_attempt_at"),
    )


@dataclass(frozen=True)
class Parked:
    """A parked event that is claimed for an attempt, with the number of its failures so far."""

    id: int
    topic: str
    raw: bytes
    attempts: int
    own_failures: int


class ParkedEvents:
    """The parked events of one service; several replicas may retry them."""

    def __init__(self, database: Database, table: Table, *, clock: Clock = now) -> None:
        self._database = database
        self._table = table
        self._clock = clock

    async def park(self, topic: str, event: Event, error: str) -> None:
        """Store an event for another attempt, unless it is stored already."""
        columns = self._table.c
        key = identity(topic, event)
        at = self._clock()

        def work(connection: Connection) -> None:
            known = select(columns.id).filter_by(**key)
            if connection.execute(known).first() is not None:
                return
            connection.execute(
                insert(self._table).values(
                    **key,
                    event=event.raw,
                    error=storable(error),
                    attempts=1,
                    own_failures=0,
                    parked_at=at,
                    next_attempt_at=at + _pause(1),
                )
            )

        await self._database.write(work)

    async def claim(self, most: int) -> Sequence[Parked]:
        """Take events that are due, so that no other replica retries them meanwhile."""
        columns = self._table.c
        at = self._clock()
        if (
            await self._database.read(lambda connection: connection.scalar(self._due(at, 1)))
            is None
        ):
            return []

        def work(connection: Connection) -> Sequence[Parked]:
            ids = connection.scalars(self._due(at, most)).all()
            claimed = columns.id.in_(ids)
            connection.execute(
                update(self._table).where(claimed).values(next_attempt_at=at + CLAIMED)
            )
            query = select(
                columns.id, columns.topic, columns.event, columns.attempts, columns.own_failures
            )
            return [Parked(*row) for row in connection.execute(query.where(claimed))]

        return await self._database.write(work)

    async def failed(self, parked: Parked, error: str, *, is_own_fault: bool) -> None:
        """Record a failed attempt, and when the next one is due."""
        attempts = parked.attempts + 1
        change = (
            update(self._table)
            .where(self._table.c.id == parked.id)
            .values(
                error=storable(error),
                attempts=attempts,
                own_failures=parked.own_failures + is_own_fault,
                next_attempt_at=self._clock() + _pause(attempts),
            )
        )
        await self._database.write(lambda connection: connection.execute(change))

    async def remove(self, parked: Parked) -> None:
        """Forget an event that was handled."""
        await self._database.write(lambda connection: self.remove_within(connection, parked))

    def remove_within(self, connection: Connection, parked: Parked) -> None:
        """Forget an event as a part of the transaction that makes it a dead letter."""
        connection.execute(delete(self._table).where(self._table.c.id == parked.id))

    async def page(self, limit: int, after: str | None = None) -> Page[ParkedEvent]:
        """Read a page, newest first."""
        columns = self._table.c
        shown = [columns[name] for name in ParkedEvent.model_fields]
        query = select(*shown).order_by(columns.id.desc()).limit(limit + 1)
        before = number_after(after)
        if before is not None:
            query = query.where(columns.id < before)
        rows = await self._database.read(lambda connection: connection.execute(query).all())
        found = [ParkedEvent.model_validate(row, from_attributes=True) for row in rows]
        return numbered_page([(event.id, event) for event in found], limit)

    def _due(self, at: datetime, most: int) -> Select[tuple[int]]:
        columns = self._table.c
        query = select(columns.id).where(columns.next_attempt_at <= at)
        return query.order_by(columns.next_attempt_at).limit(most)


def _pause(attempts: int) -> timedelta:
    return timedelta(seconds=BACKOFF.after(attempts))
