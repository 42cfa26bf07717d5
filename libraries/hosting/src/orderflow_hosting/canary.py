"""Shows whether events come through, by an event that the service sends to itself.

A broker, a sidecar and a subscription may each say that they are well while nothing is delivered.
All replicas share the topic and the record of what has arrived.
"""

import contextlib
import itertools
import json
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, insert, select, update

from orderflow_contracts.fields import Clock, now
from orderflow_contracts.names import canary_topic
from orderflow_hosting.background import BackgroundWork
from orderflow_hosting.dapr_app import Answer, DaprApp
from orderflow_hosting.database import PROBE, Database
from orderflow_hosting.problems import Unavailable
from orderflow_hosting.sidecar import Sidecar

PAUSE_SECONDS: Final = 10.0
MAX_SILENCE: Final = timedelta(seconds=60)
_ROW: Final = PROBE.c.number == (_NUMBER := 2)


class NoEvents(Unavailable):
    """Events do not come through at the moment."""


class Canary:
    """Publishes an event every ten seconds, and records when the newest that arrived was sent."""

    def __init__(
        self,
        app_id: str,
        app: DaprApp,
        sidecar: Sidecar,
        database: Database,
        *,
        clock: Clock = now,
    ) -> None:
        self._topic = canary_topic(app_id)
        self._sidecar = sidecar
        self._database = database
        self._clock = clock
        self._started_at = clock()
        app.on_event(self._topic, self.arrived, dead_letter_topic=None)

    def keep_publishing(self, background: BackgroundWork) -> None:
        """Publish for as long as the process runs."""
        pauses = itertools.repeat(PAUSE_SECONDS)
        background.repeat(self.publish, "canary_not_published", pauses=pauses)

    async def publish(self) -> None:
        """Publish one event, which says when."""
        sent_at = self._clock().isoformat()
        await self._sidecar.publish_raw(self._topic, json.dumps(sent_at).encode())

    async def arrived(self, raw: bytes) -> Answer:
        """Record when the event was sent; one that cannot be read or recorded is forgotten."""
        with contextlib.suppress(Exception):  # anyone can publish, and the next one follows soon
            sent_at = min(datetime.fromisoformat(json.loads(raw)), self._clock())
            await self._database.write(lambda connection: _record(connection, sent_at))
        return Answer.ACKNOWLEDGE

    async def check(self) -> None:
        """Raise `NoEvents` if none that was sent within the last minute has arrived."""
        query = select(PROBE.c.at).where(_ROW)
        newest = await self._database.read(lambda connection: connection.scalar(query))
        silence = self._clock() - max(self._started_at, newest or self._started_at)
        if silence > MAX_SILENCE:
            raise NoEvents(f"no event has come through for {silence.total_seconds():.0f} s")


def _record(connection: Connection, sent_at: datetime) -> None:
    known = connection.scalar(select(PROBE.c.at).where(_ROW))
    if known is None:
        connection.execute(insert(PROBE).values(number=_NUMBER, at=sent_at))
    elif known < sent_at:
        connection.execute(update(PROBE).where(_ROW).values(at=sent_at))
