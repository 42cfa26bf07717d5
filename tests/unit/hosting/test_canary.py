"""Whether a service can tell that events come through."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from fakes.recorded_app import RecordedApp
from fakes.schemas import FromModels
from orderflow_hosting.canary import MAX_SILENCE, Canary, NoEvents
from orderflow_hosting.dapr_app import Answer
from orderflow_hosting.database import Database
from orderflow_hosting.migrations.schema import HOUSEKEEPING
from orderflow_hosting.sidecar import Sidecar

TOPIC = "orders.canary"


class Broker(Sidecar):
    """Delivers what is published when a test says so."""

    def __init__(self) -> None:
        """Connect to nothing."""
        self.waiting: list[bytes] = []

    async def publish_raw(self, topic: str, event: bytes) -> None:
        """Hold an event back."""
        assert topic == TOPIC
        self.waiting.append(event)


class Replica:
    """One process of a service."""

    def __init__(self, broker: Broker, database: Database) -> None:
        self.moment = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
        self.app = RecordedApp()
        self.broker = broker
        self.canary = Canary("orders", self.app, broker, database, clock=lambda: self.moment)

    async def receive(self) -> None:
        """Receive what waits in the broker."""
        while self.broker.waiting:
            answer = await self.app.events[TOPIC](self.broker.waiting.pop(0))
            assert answer is Answer.ACKNOWLEDGE


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database(f"sqlite:///{tmp_path}/canary.db", FromModels(HOUSEKEEPING))
    yield database
    database.close()


@pytest.fixture
async def replica(database: Database) -> Replica:
    await database.ready()
    return Replica(Broker(), database)


async def test_events_that_do_not_come_through_are_noticed(replica: Replica) -> None:
    """After a minute without one the service is not ready, and as soon as one arrives it is."""
    await replica.canary.check()
    replica.moment += MAX_SILENCE
    await replica.canary.check()
    replica.moment += timedelta(seconds=1)

    with pytest.raises(NoEvents, match="no event has come through for 61 s"):
        await replica.canary.check()

    await replica.canary.publish()
    with pytest.raises(NoEvents):
        await replica.canary.check()
    await replica.receive()
    await replica.canary.check()


async def test_events_that_come_through_too_late_are_noticed(replica: Replica) -> None:
    """An event counts from when it was sent, so a backlog is noticed, too."""
    await replica.canary.publish()
    replica.moment += timedelta(minutes=5)
    await replica.receive()

    with pytest.raises(NoEvents, match="for 300 s"):
        await replica.canary.check()


async def test_replicas_share_what_arrives(replica: Replica, database: Database) -> None:
    """Each event reaches one replica only."""
    other = Replica(replica.broker, database)
    for one in (replica, other):
        one.moment += timedelta(minutes=5)
    await replica.canary.publish()
    await other.receive()

    await replica.canary.check()
    await other.canary.check()
    await database.check()
    await replica.canary.check()


async def test_an_event_from_the_future_counts_as_sent_now(replica: Replica) -> None:
    """Otherwise it would hide a failure until that time."""
    await replica.app.events[TOPIC](b'"2999-01-01T00:00:00Z"')
    replica.moment += timedelta(seconds=61)

    with pytest.raises(NoEvents, match="for 61 s"):
        await replica.canary.check()


@pytest.mark.parametrize(
    "garbage",
    [
        *(b"", b"{", b"null", b'"soon"', b'"2026-03-01T12:00:00"', b"7"),
        *(b"[" * 100_000, b'"0001-01-01T00:00:00+23:59"'),
    ],
    ids=range(8),
)
async def test_garbage_on_the_topic_changes_nothing(replica: Replica, garbage: bytes) -> None:
    """Anyone can publish."""
    assert await replica.app.events[TOPIC](garbage) is Answer.ACKNOWLEDGE
    await replica.canary.check()
