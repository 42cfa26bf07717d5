"""What the doctor and the reconciler do with what their checks find."""

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import Connection, MetaData, update
from structlog.testing import capture_logs

from fakes.access import opened
from fakes.checks import SetCheck
from fakes.recorded_app import RecordedApp
from fakes.schemas import FromModels
from orderflow_contracts.doctor import LOST_INSTANCE, NEEDS_ATTENTION, Kind
from orderflow_hosting.canary import MAX_SILENCE, Canary
from orderflow_hosting.database import Database
from orderflow_hosting.dead_letters import ParkedEvents, parked_event_table
from orderflow_hosting.doctor import (
    Disagreement,
    Doctor,
    Reconciler,
    UnhandledEvents,
    UnpublishedMessages,
    doctor_router,
)
from orderflow_hosting.doctor.doctor import SECONDS_APART
from orderflow_hosting.doctor.events import PATIENCE
from orderflow_hosting.events import read_event
from orderflow_hosting.outbox import Message, add_within, outbox_tables
from orderflow_hosting.outbox.lease import Lease
from orderflow_hosting.outbox.table import OUTBOX
from orderflow_hosting.sidecar import Sidecar

TABLES = MetaData()
PARKED = parked_event_table(TABLES)
outbox_tables(TABLES)
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


class World:
    """Something that disagrees until it is healed, and the doctor's clock."""

    def __init__(self) -> None:
        self.check = SetCheck()
        self.pauses: list[float] = []
        self.healed: list[str] = []
        self.meanwhile: Callable[[], None] = lambda: None
        self.doctor = Doctor([self.check], sleep=self.sleep)

    async def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.meanwhile()

    def add(
        self, about: str, *, page: int = 0, evidence: str = "", heals: bool = True
    ) -> Disagreement:
        """Let something disagree; once healed, it agrees."""

        async def heal() -> None:
            self.healed.append(about)
            self.check.pages[page].remove(found)

        kind: Kind = LOST_INSTANCE if heals else NEEDS_ATTENTION
        found = Disagreement(kind, about, "it is lost", evidence, heal if heals else None)
        self.check.pages[page].append(found)
        return found


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database(f"sqlite:///{tmp_path}/doctor.db", FromModels(TABLES))
    yield database
    database.close()


async def test_what_agrees_is_looked_at_once(world: World) -> None:
    """The doctor does not wait if there is nothing to look at again."""
    diagnosis = await world.doctor.diagnose()

    assert diagnosis.agrees
    assert world.pauses == []


async def test_a_disagreement_is_reported_with_its_remedy(world: World) -> None:
    """It was seen twice, some seconds apart."""
    world.add("o1")

    diagnosis = await world.doctor.diagnose()

    assert not diagnosis.agrees
    assert [finding.model_dump() for finding in diagnosis.findings] == [
        {
            "about": "o1",
            "kind": "lost_instance",
            "detail": "it is lost",
            "remedy": LOST_INSTANCE.remedy,
        }
    ]
    assert world.pauses == [SECONDS_APART]
    assert world.healed == []


async def test_what_is_in_flight_is_not_reported(world: World) -> None:
    """A state that has changed between the two looks is no disagreement."""
    world.add("o1", evidence="received")

    def move_on() -> None:
        world.check.pages[0].clear()
        world.add("o1", evidence=f"after {len(world.pauses)} pauses")

    world.meanwhile = move_on

    assert (await world.doctor.diagnose()).agrees
    assert (await world.doctor.fix()).agrees
    assert world.healed == []


async def test_only_pages_with_disagreements_are_read_again(world: World) -> None:
    """The rest of a long list is read once."""
    world.check.pages = [[], [], []]
    world.add("o1", page=1)

    await world.doctor.diagnose()

    assert world.check.read == [0, 1, 2, 1]


async def test_a_subject_is_looked_at_alone(world: World) -> None:
    """What is about others is neither reported nor healed."""
    world.add("o1")
    world.add("o2")

    treatment = await world.doctor.fix("o2")

    assert [finding.about for finding in treatment.healed] == ["o2"]
    assert world.healed == ["o2"]


async def test_a_fix_heals_what_is_safe_and_names_what_is_left(world: World) -> None:
    """It agrees only if nothing is left."""
    world.add("o1")
    world.add("o2", heals=False)

    treatment = await world.doctor.fix()

    assert not treatment.agrees
    assert [finding.about for finding in treatment.healed] == ["o1"]
    assert [finding.about for finding in treatment.left] == ["o2"]


async def test_a_failed_fix_is_left(world: World) -> None:
    """What could not be healed is listed as left."""

    async def fail() -> None:
        raise OSError("no answer")

    world.check.pages[0].append(Disagreement(LOST_INSTANCE, "o1", "lost", heal=fail))

    treatment = await world.doctor.fix()

    assert [finding.about for finding in treatment.left] == ["o1"]


async def test_what_cannot_be_compared_is_a_finding(world: World) -> None:
    """The doctor never says that all agrees if it could not look."""
    world.check.error = OSError("the engine does not answer")

    for diagnosis in (await world.doctor.diagnose(), await world.doctor.diagnose("o1")):
        assert [finding.kind for finding in diagnosis.findings] == ["not_compared"]
        assert "the engine does not answer" in diagnosis.findings[0].detail


async def test_the_reconciler_heals_what_it_sees_twice(world: World, database: Database) -> None:
    """What it sees for the first time may be in flight."""
    reconciler = Reconciler([world.check], database)
    await database.ready()
    world.add("o1")

    await reconciler.run_round()
    assert world.healed == []
    await reconciler.run_round()

    assert world.healed == ["o1"]
    assert reconciler.healed == {"lost_instance": 1}


async def test_the_reconciler_does_not_disturb_what_moves_on(
    world: World, database: Database
) -> None:
    """Something that disagrees in another way each time is in flight."""
    reconciler = Reconciler([world.check], database)
    await database.ready()

    for evidence in ("received", "reserved", "paid"):
        world.check.pages[0].clear()
        world.add("o1", evidence=evidence)
        await reconciler.run_round()

    assert world.healed == []


async def test_the_reconciler_raises_what_it_cannot_heal_once(
    world: World, database: Database
) -> None:
    """A person sees one warning as long as it stays, and another if it comes back."""
    reconciler = Reconciler([world.check], database)
    await database.ready()

    async def warnings_in(rounds: int) -> list[object]:
        with capture_logs() as logs:
            for _ in range(rounds):
                await reconciler.run_round()
        return [each["about"] for each in logs if each["event"] == "disagreement_found"]

    world.add("o1", heals=False)
    assert await warnings_in(4) == ["o1"]

    world.check.pages[0].clear()
    assert await warnings_in(1) == []
    world.add("o1", heals=False)
    assert await warnings_in(2) == ["o1"]


async def test_a_round_reads_a_part_of_a_long_list(world: World, database: Database) -> None:
    """Rounds continue where the one before stopped, and begin again at the end."""
    world.check.pages = [[], [], []]
    world.check.pages_in_a_round = 2
    reconciler = Reconciler([world.check], database)
    await database.ready()

    for _ in range(3):
        await reconciler.run_round()

    assert world.check.read == [0, 1, 2, 0, 1]


async def test_a_round_reads_on_while_pages_disagree(world: World, database: Database) -> None:
    """If everything is lost, it is all healed in the next round."""
    world.check.pages = [[] for _ in range(10)]
    reconciler = Reconciler([world.check], database)
    await database.ready()
    for page in range(10):
        world.add(f"o{page}", page=page)

    await reconciler.run_round()
    await reconciler.run_round()

    assert world.healed == [f"o{page}" for page in range(10)]


async def test_a_check_that_fails_stops_no_other(world: World, database: Database) -> None:
    """The others go on in the same round."""
    broken = SetCheck()
    broken.error = RuntimeError("a fault")
    reconciler = Reconciler([broken, world.check], database)
    await database.ready()
    world.add("o1")

    await reconciler.run_round()
    await reconciler.run_round()

    assert world.healed == ["o1"]


async def test_one_replica_reconciles_at_a_time(world: World, database: Database) -> None:
    """Another one looks at nothing until the lease is given back."""
    await database.ready()

    def reconciler(check: SetCheck) -> Reconciler:
        lease = Lease(_noon, number=2, seconds=40)
        return Reconciler([check], database, turn=lease)

    other = SetCheck()
    first, second = reconciler(world.check), reconciler(other)
    await first.run_round()
    await second.run_round()
    assert (len(world.check.read), len(other.read)) == (1, 0)

    await first.give_back()
    await second.run_round()
    assert len(other.read) == 1


def _noon(_: Connection) -> datetime:
    return NOON


async def test_a_message_that_waits_too_long_is_found(database: Database) -> None:
    """One that was written a moment ago is not."""
    await database.ready()
    now = NOON
    check = UnpublishedMessages(database, clock=lambda: now)
    message = Message("o1", "things.status", b"{}")
    await database.write(lambda connection: add_within(connection, message))
    written = update(OUTBOX).values(created_at=NOON)
    await database.write(lambda connection: connection.execute(written))

    assert (await check.page(None)).disagreements == []
    now += PATIENCE
    found: Sequence[Disagreement] = (await check.page(None)).disagreements
    assert [each.kind.name for each in found] == ["unpublished_messages"]
    assert [each.kind.name for each in await check.of("o1")] == ["unpublished_messages"]
    assert await check.of("o2") == []


async def test_an_event_that_keeps_failing_is_found(database: Database) -> None:
    """One that failed a moment ago is tried again first; silence is found as well."""
    await database.ready()
    now = NOON
    parked = ParkedEvents(database, PARKED, clock=lambda: now)
    app = RecordedApp()
    canary = Canary("things", app, _NoBroker(), database, clock=lambda: now)
    check = UnhandledEvents(parked, canary, clock=lambda: now)
    event = read_event(b'{"specversion": "1.0", "id": "e1", "type": "t", "source": "/s"}')
    await parked.park("things.done", event, "it is not known yet")

    assert (await check.page(None)).disagreements == []
    now += PATIENCE
    await app.events["things.canary"](f'"{now.isoformat()}"'.encode())
    found = (await check.page(None)).disagreements
    assert [each.about for each in found] == ["event e1"]
    assert "it is not known yet" in found[0].detail

    now += MAX_SILENCE + timedelta(seconds=1)
    assert [each.about for each in (await check.page(None)).disagreements] == ["events", "event e1"]
    assert await check.of("o1") == []


class _NoBroker(Sidecar):
    def __init__(self) -> None:
        """Connect to nothing."""


async def test_the_doctor_is_served(world: World) -> None:
    """The parameter has the service's own name, and must be an ID."""
    app = FastAPI()
    app.include_router(doctor_router(world.doctor, "thing_id"))
    transport = httpx.ASGITransport(opened(app))
    world.add("o1")
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        seen = (await client.get("/doctor", params={"thing_id": "o1"})).json()
        other = (await client.get("/doctor", params={"thing_id": "o2"})).json()
        odd = await client.get("/doctor", params={"thing_id": "not an id"})
        fixed = (await client.post("/doctor/fix")).json()

    assert (seen["agrees"], [each["about"] for each in seen["findings"]]) == (False, ["o1"])
    assert other == {"agrees": True, "findings": []}
    assert odd.status_code == 422
    assert fixed["agrees"]
    assert [each["about"] for each in fixed["healed"]] == ["o1"]
