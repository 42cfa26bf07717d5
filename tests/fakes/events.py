"""Events, and the topics of a service without a sidecar that delivers them."""

import json
from datetime import UTC, datetime, timedelta

from sqlalchemy import Table

from fakes.recorded_app import RecordedApp
from orderflow_contracts.dead_letters import DeadLetter
from orderflow_contracts.fields import readable_order_id
from orderflow_hosting.dapr_app import Answer
from orderflow_hosting.database import Database
from orderflow_hosting.dead_letters import DeadLetters, Known, ParkedEvents
from orderflow_hosting.events import read_event
from orderflow_hosting.topics import Topics


def cloud_event(data: object, event_id: str = "event-1", **attributes: object) -> bytes:
    """Write an event as it lies in the broker."""
    envelope = {"specversion": "1.0", "id": event_id, "source": "test", "type": "a.test"}
    as_json = {"datacontenttype": "application/json", "data": data}
    return json.dumps({**envelope, **as_json, **attributes}).encode()


class TopicsInMemory:
    """The topics of a service, what it parked and its dead letters.

    Subscribe with `topics`; `pass_time` retries what is parked.
    """

    def __init__(self, database: Database, dead_letters: Table, parked_events: Table) -> None:
        self._moment = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
        self.app = RecordedApp()
        self.letters = DeadLetters(database, dead_letters, subject_of=readable_order_id)
        self.parked = ParkedEvents(database, parked_events, clock=self._now)
        self.topics = Topics(self.app, self.letters, self.parked, clock=self._now)

    async def deliver(self, topic: str, data: object, event_id: str = "event-1") -> Answer:
        """Deliver an event with this data as the sidecar does."""
        return await self.app.events[topic](cloud_event(data, event_id))

    async def find(self, topic: str, data: object, event_id: str = "event-1") -> Known | None:
        """Find what an event with this data is about."""
        return await self.topics.find(topic, read_event(cloud_event(data, event_id)))

    async def dead(self) -> list[DeadLetter]:
        """Return the dead letters."""
        return (await self.letters.page(100, None)).items

    async def sent(self, letter: DeadLetter) -> str | None:
        """Return the data of a dead letter, as its publisher wrote it."""
        return (await self.letters.letter(letter.id)).data

    async def errors(self) -> list[str]:
        """Return the errors of the parked events."""
        return [event.error for event in (await self.parked.page(100)).items]

    async def pass_time(self) -> None:
        """Retry all that is parked."""
        self._moment += timedelta(minutes=2)
        await self.topics.retry_due()

    def _now(self) -> datetime:
        return self._moment
