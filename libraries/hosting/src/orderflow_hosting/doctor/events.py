"""Checks that every service with events needs: what is not published, and what is not handled."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from sqlalchemy import func, select

from orderflow_contracts.doctor import UNHANDLED_EVENTS, UNPUBLISHED_MESSAGES
from orderflow_contracts.fields import Clock, now
from orderflow_hosting.canary import Canary, NoEvents
from orderflow_hosting.database import Database
from orderflow_hosting.dead_letters import ParkedEvents
from orderflow_hosting.doctor.checks import Disagreement, Look
from orderflow_hosting.outbox.table import OUTBOX

PATIENCE: Final = timedelta(seconds=60)
AT_ONCE: Final = 200


class UnpublishedMessages:
    """The outbox: no message waits for more than a minute."""

    name = "the outbox"
    pages_in_a_round = 1

    def __init__(self, database: Database, clock: Clock = now) -> None:
        self._database = database
        self._clock = clock

    async def page(self, after: str | None) -> Look:  # noqa: ARG002 # there is only one page
        """Look at the oldest message."""
        return Look(await self._find(None))

    async def of(self, subject: str) -> Sequence[Disagreement]:
        """Look at the oldest message about a subject."""
        return await self._find(subject)

    async def _find(self, key: str | None) -> Sequence[Disagreement]:
        query = select(func.min(OUTBOX.c.created_at))
        if key is not None:
            query = query.where(OUTBOX.c.key == key)
        oldest = await self._database.read(lambda connection: connection.scalar(query))
        if oldest is None or self._clock() - oldest < PATIENCE:
            return []
        waits = f"a message has been waiting since {oldest.isoformat(timespec='seconds')}"
        return [Disagreement(UNPUBLISHED_MESSAGES, self.name, waits)]


class UnhandledEvents:
    """Events: they come through, and none has failed for more than a minute."""

    name = "events"
    pages_in_a_round = 1

    def __init__(self, parked: ParkedEvents, canary: Canary, clock: Clock = now) -> None:
        self._parked = parked
        self._canary = canary
        self._clock = clock

    async def page(self, after: str | None) -> Look:
        """Look at a page of events that failed and, on the first, at whether any come through."""
        page = await self._parked.page(AT_ONCE, after)
        found = [] if after is not None else await self._silence()
        found += [
            Disagreement(
                UNHANDLED_EVENTS,
                f"event {event.event_id}",
                f"it has failed on {event.topic} since "
                f"{event.parked_at.isoformat(timespec='seconds')}: {event.error}",
            )
            for event in page.items
            if self._clock() - event.parked_at >= PATIENCE
        ]
        return Look(found, page.next)

    async def of(self, subject: str) -> Sequence[Disagreement]:  # noqa: ARG002
        """Find nothing: what an event is about is known only once it is handled."""
        return []

    async def _silence(self) -> list[Disagreement]:
        try:
            await self._canary.check()
        except NoEvents as error:
            return [Disagreement(UNHANDLED_EVENTS, self.name, str(error))]
        return []
