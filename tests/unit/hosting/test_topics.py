"""What becomes of an event: handled, parked for another attempt, or a dead letter."""

import asyncio
import contextlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import grpc.aio
import pytest
from hypothesis import given
from pydantic import BaseModel
from sqlalchemy import MetaData

from fakes.generated_events import EVENTS, Sent
from fakes.recorded_app import RecordedApp
from fakes.schemas import FromModels
from orderflow_contracts import names
from orderflow_contracts import topics as contracts
from orderflow_contracts.dead_letters import DeadLetter
from orderflow_contracts.orders import PlacedOrder
from orderflow_hosting import topics
from orderflow_hosting.dapr_app import Answer
from orderflow_hosting.database import Database, DatabaseUnavailable
from orderflow_hosting.dead_letters import (
    DeadLetters,
    ParkedEvents,
    dead_letter_table,
    parked_event_table,
)
from orderflow_hosting.events import MOST_BYTES, Event, read_event
from orderflow_hosting.outbox import Relay, outbox_tables
from orderflow_hosting.outbox.relay import NotPublished
from orderflow_hosting.problems import Unavailable
from orderflow_hosting.sidecar import Sidecar
from orderflow_hosting.topics import (
    MOST_OWN_FAILURES,
    NotYetKnown,
    Refused,
    Topics,
    parse,
)

TABLES = MetaData()
LETTERS = dead_letter_table(TABLES, "subject")
PARKED = parked_event_table(TABLES)
outbox_tables(TABLES)
TOPIC = "things"


class Thing(BaseModel):
    """What the topic is about."""

    name: str
    size: int = 1


class FakeSidecar(Sidecar):
    """Records what is published, and fails while `failure` is set."""

    def __init__(self) -> None:
        """Connect to nothing."""
        self.published: list[tuple[str, bytes]] = []
        self.failure: Exception | None = None

    async def publish_together(
        self, topic: str, events: Sequence[tuple[str, bytes]], **_: object
    ) -> None:
        """Record the events."""
        if self.failure is not None:
            raise self.failure
        self.published += [(topic, event) for _, event in events]


class Service:
    """A service with one topic, whose handler fails for the names in `failures`."""

    def __init__(self, database: Database) -> None:
        self.moment = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
        self.failures: dict[str, Exception] = {}
        self.handled: list[str] = []
        self.sidecar = FakeSidecar()
        self.app = RecordedApp()
        self.letters = DeadLetters(database, LETTERS, subject_of=lambda _: None, clock=self.clock)
        self.relay = Relay(database, self.sidecar, self.letters.take_back_within)
        self.parked = ParkedEvents(database, PARKED, clock=self.clock)
        self.topics = self.replica()

    def clock(self) -> datetime:
        """Return the present time, which only `pass_time` moves on."""
        return self.moment

    def replica(self) -> Topics:
        """Start another process of the service, which has the same tables."""
        subscribed = Topics(self.app, self.letters, self.parked, clock=self.clock)
        subscribed.subscribe(TOPIC, self.handle)
        return subscribed

    async def handle(self, event: Event) -> None:
        """Handle an event, or fail as it is set."""
        name = parse(Thing, event, name=event.id).name
        if name in self.failures:
            raise self.failures[name].with_traceback(None)  # else it grows each time
        self.handled.append(name)

    async def deliver(self, name: str, topic: str = TOPIC) -> Answer:
        """Deliver an event with this name."""
        return await self.app.events[topic](event_of(name))

    async def pass_time(self, seconds: float = 60.0) -> None:
        """Retry what is due after this time, and publish what is promised."""
        self.moment += timedelta(seconds=seconds)
        await self.topics.retry_due()
        with contextlib.suppress(NotPublished):
            await self.relay.publish_waiting()

    async def waiting(self) -> int:
        """Count the parked events."""
        return len((await self.parked.page(100)).items)

    async def dead(self) -> list[DeadLetter]:
        """Return the dead letters."""
        return (await self.letters.page(100, None)).items


def event_of(name: str) -> bytes:
    return json.dumps(
        {
            "specversion": "1.0",
            "id": f"e-{name}",
            "source": "s",
            "type": "t",
            "data": {"name": name},
        }
    ).encode()


CONTENTS: Final[Mapping[str, type[BaseModel]]] = {
    **{topic.name: topic.forms[0].message for topic in contracts.TOPICS},
    names.ORDERS_SUBMITTED: PlacedOrder,
}
SAYS_WHERE: Final = re.compile(
    r".+: \S.*"  # a field of the content or the envelope
    r"|not JSON: .+ \(character \d+\)|not UTF-8 \(byte \d+\)"
    r"|(data: )?the key .+ occurs more than once|(data: )?nested deeper than 5[01] levels"
    r"|expired at .+ UTC|[\d,]+ bytes are too many: .+",
    re.DOTALL,
)


@given(EVENTS)
def test_whatever_is_refused_says_where_it_is_wrong(sent: Sent) -> None:
    """The reason names a field, or a place in the text, and there is a sentence for people."""
    event = read_event(sent.marked("m").body, at=datetime(2026, 3, 1, tzinfo=UTC))

    refused = refusal_of(sent.door, event)

    if refused is not None:
        assert SAYS_WHERE.fullmatch(str(refused).removeprefix("invalid: ")), str(refused)
        assert (refused.detail or "").endswith(".")


def refusal_of(topic: str, event: Event) -> Refused | None:
    try:
        parse(CONTENTS[topic], event)
    except Refused as refused:
        return refused
    return None


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database(f"sqlite:///{tmp_path}/things.db", FromModels(TABLES))
    yield database
    database.close()


@pytest.fixture
async def service(database: Database) -> Service:
    await database.ready()
    return Service(database)


async def test_an_event_that_is_handled_is_acknowledged(service: Service) -> None:
    """Nothing of it stays behind."""
    assert await service.deliver("a") is Answer.ACKNOWLEDGE

    assert service.handled == ["a"]
    assert await service.waiting() == 0


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"{", "invalid: not JSON: Expecting property name"),
        (b"[]", "invalid: body: must be an object"),
        (b'{"name": "a", "size": 1e400}', "invalid: size: the number is beyond the range"),
        (b'{"size": 2}', "invalid: name: Field required"),
        (b'{"name": "refused"}', "never"),
    ],
)
async def test_an_event_that_can_never_be_handled_is_a_dead_letter(
    service: Service, raw: bytes, reason: str
) -> None:
    """The reason is recorded, and every byte; its arrival on the dead-letter topic adds nothing."""
    service.failures["refused"] = Refused("never")

    assert await service.app.events[TOPIC](raw) is Answer.DEAD_LETTER
    assert await service.app.events[f"{TOPIC}.dead"](raw) is Answer.ACKNOWLEDGE

    (letter,) = await service.dead()
    assert letter.reason.startswith(reason)
    assert (await service.letters.letter(letter.id)).data == raw.decode()


async def test_the_id_of_an_event_serves_where_it_names_none(service: Service) -> None:
    """Defaults fill in for fields that are absent or null."""
    await service.app.events[TOPIC](
        b'{"specversion":"1.0","id":"e-7","source":"s","type":"t","data":{"name":null}}'
    )

    assert service.handled == ["e-7"]


@pytest.mark.parametrize(
    "failure", [RuntimeError("a bug"), Unavailable("away"), DatabaseUnavailable("read only")]
)
async def test_an_event_that_fails_is_acknowledged_and_handled_later(
    service: Service, failure: Exception
) -> None:
    """It takes no place in the sidecar, and is handled as soon as it can be."""
    service.failures["a"] = failure

    assert [await service.deliver("a") for _ in range(3)] == [Answer.ACKNOWLEDGE] * 3
    assert await service.waiting() == 1
    await service.pass_time()
    del service.failures["a"]
    assert service.handled == []
    await service.pass_time()

    assert service.handled == ["a"]
    assert (await service.waiting(), await service.dead()) == (0, [])


async def test_an_event_that_takes_too_long_is_parked(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Handling has a deadline."""
    monkeypatch.setattr(topics, "HANDLING_SECONDS", 0.01)
    monkeypatch.setitem(service.topics._handlers, TOPIC, lambda _: asyncio.Event().wait())

    assert await service.deliver("slow") is Answer.ACKNOWLEDGE
    assert await service.waiting() == 1


@pytest.mark.parametrize("failure", [RuntimeError("a bug"), Refused("never")])
async def test_an_event_that_cannot_be_stored_is_delivered_again(
    service: Service, database: Database, failure: Exception
) -> None:
    """Without its own tables, the service leaves every event with the broker."""
    service.failures["a"] = failure
    database.close()

    assert await service.deliver("a") is Answer.REDELIVER
    assert await service.deliver("a", f"{TOPIC}.dead") is Answer.REDELIVER


async def test_an_event_that_fails_while_others_succeed_is_given_up(service: Service) -> None:
    """After so many failures that are its own, it is a dead letter, also for other subscribers."""
    service.failures["a"] = RuntimeError("a bug")
    await service.deliver("a")
    attempts = 1
    while await service.waiting():
        await service.deliver(f"good-{attempts}")
        await service.pass_time()
        attempts += 1

    (letter,) = await service.dead()
    assert letter.attempts == attempts == MOST_OWN_FAILURES + 2
    assert letter.reason == f"failed {attempts} times: RuntimeError: a bug"
    assert service.sidecar.published == [(f"{TOPIC}.dead", event_of("a"))]


@pytest.mark.parametrize("failure", [Unavailable("away"), OSError("disk"), TimeoutError()])
async def test_no_outage_makes_an_event_a_dead_letter(service: Service, failure: Exception) -> None:
    """What the service needs may fail for some events and for as long as it likes."""
    service.failures["a"] = failure
    await service.deliver("a")
    for number in range(3 * MOST_OWN_FAILURES):
        await service.deliver(f"good-{number}")
        await service.pass_time()

    assert await service.dead() == []
    del service.failures["a"]
    await service.pass_time()
    assert service.handled[-1] == "a"


async def test_an_event_that_fails_alone_is_not_given_up(service: Service) -> None:
    """Where nothing else succeeds, nothing shows that the event itself is at fault."""
    service.failures["a"] = RuntimeError("perhaps a bug, perhaps not")
    await service.deliver("a")
    for _ in range(3 * MOST_OWN_FAILURES):
        await service.pass_time()

    assert (await service.waiting(), await service.dead()) == (1, [])


async def test_an_event_that_came_too_early_is_given_up_even_alone(service: Service) -> None:
    """That its subject is not on record is certain without any other event."""
    service.failures["a"] = NotYetKnown("there is no thing a")
    assert await service.deliver("a") is Answer.ACKNOWLEDGE
    for _ in range(MOST_OWN_FAILURES - 1):
        await service.pass_time()
    assert (await service.waiting(), await service.dead()) == (1, [])

    await service.pass_time()

    (letter,) = await service.dead()
    assert letter.reason == f"tried {MOST_OWN_FAILURES + 1} times, but there is no thing a"
    assert letter.attempts == MOST_OWN_FAILURES + 1
    assert await service.waiting() == 0
    assert service.sidecar.published == [(f"{TOPIC}.dead", event_of("a"))]


async def test_an_outage_does_not_shorten_the_wait_of_an_early_event(service: Service) -> None:
    """Attempts during which the records could not be read do not count."""
    service.failures["a"] = NotYetKnown("there is no thing a")
    await service.deliver("a")
    service.failures["a"] = DatabaseUnavailable("away")
    for _ in range(3 * MOST_OWN_FAILURES):
        await service.pass_time()
    service.failures["a"] = NotYetKnown("there is no thing a")
    for _ in range(MOST_OWN_FAILURES - 1):
        await service.pass_time()

    assert (await service.waiting(), await service.dead()) == (1, [])
    del service.failures["a"]
    await service.pass_time()
    assert service.handled == ["a"]
    assert await service.waiting() == 0


async def test_events_of_another_topic_prove_nothing(service: Service) -> None:
    """Their handler may need less than the one that fails."""
    service.topics.subscribe("others", service.handle)
    service.failures["a"] = RuntimeError("perhaps a bug, perhaps not")
    await service.deliver("a")
    for number in range(3 * MOST_OWN_FAILURES):
        assert await service.deliver(f"good-{number}", "others") is Answer.ACKNOWLEDGE
        await service.pass_time()

    assert (await service.waiting(), await service.dead()) == (1, [])


async def test_one_burst_of_others_counts_once(service: Service) -> None:
    """However many succeed between two attempts, the cause may have passed since."""
    service.failures["a"] = RuntimeError("perhaps a bug, perhaps not")
    await service.deliver("a")
    await service.pass_time()
    for number in range(5 * MOST_OWN_FAILURES):
        await service.deliver(f"good-{number}")
    for _ in range(3 * MOST_OWN_FAILURES):
        await service.pass_time()

    assert (await service.waiting(), await service.dead()) == (1, [])


async def test_an_event_is_given_up_while_the_broker_is_away(service: Service) -> None:
    """All others learn of it once the broker is back."""
    service.failures["a"] = RuntimeError("not now")
    await service.deliver("a")
    service.failures["a"] = Refused("no longer valid")
    service.sidecar.failure = answered(grpc.StatusCode.UNAVAILABLE)
    await service.pass_time()
    assert await service.waiting() == 0
    assert [letter.reason for letter in await service.dead()] == ["no longer valid"]
    assert service.sidecar.published == []

    service.sidecar.failure = None
    await service.pass_time()

    assert service.sidecar.published == [(f"{TOPIC}.dead", event_of("a"))]


def answered(code: grpc.StatusCode) -> grpc.aio.AioRpcError:
    reason = "grpc: received message larger than max (6000047 vs. 4194304)"
    return grpc.aio.AioRpcError(code, grpc.aio.Metadata(), grpc.aio.Metadata(), details=reason)


async def test_an_event_too_large_for_the_sidecar_is_given_up_without_it(service: Service) -> None:
    """The sidecar has delivered it, but accepts less; the dead letter has all of its bytes."""
    raw = event_of("a").replace(b'"name": "a"', b'"name": "a' + rb"\u003c" * 700_000 + b'"')
    name = "a" + "<" * 700_000
    service.failures[name] = RuntimeError("not now")
    await service.app.events[TOPIC](raw)
    service.failures[name] = Refused("no longer valid")
    service.sidecar.failure = answered(grpc.StatusCode.RESOURCE_EXHAUSTED)
    await service.pass_time()

    assert await service.waiting() == 0
    (letter,) = await service.dead()
    assert letter.reason == "no longer valid"
    service.sidecar.failure = None
    await service.letters.resend(letter.id)
    await service.relay.publish_waiting()
    assert service.sidecar.published == [(TOPIC, raw)]


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("a", grpc.StatusCode.RESOURCE_EXHAUSTED),
        ("a" * (MOST_BYTES - 100), grpc.StatusCode.UNAVAILABLE),
    ],
)
async def test_a_failed_publication_of_a_dead_letter_is_repeated(
    service: Service, name: str, code: grpc.StatusCode
) -> None:
    """A small event is not too large, and a large one may meet a sidecar that is away."""
    service.failures[name] = RuntimeError("not now")
    await service.deliver(name)
    service.failures[name] = Refused("no longer valid")
    service.sidecar.failure = answered(code)
    await service.pass_time()
    assert (await service.waiting(), service.sidecar.published) == (0, [])

    service.sidecar.failure = None
    await service.pass_time()

    assert await service.waiting() == 0
    assert service.sidecar.published == [(f"{TOPIC}.dead", event_of(name))]


async def test_what_a_process_remembers_of_parked_events_is_bounded(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another replica may finish them; the failures that are the longest ago are forgotten."""
    monkeypatch.setattr(topics, "MOST_FAILURES_KNOWN", 3)
    other = service.replica()
    names = "abcdef"
    for name in names:
        service.failures[name] = RuntimeError("a bug")
        await service.deliver(name)
    await service.pass_time()
    service.failures.clear()
    service.moment += timedelta(seconds=60)
    await other.retry_due()

    assert sorted(service.handled) == list(names)
    assert len(service.topics._handled_at_failure) == 3


async def test_replicas_do_not_handle_a_parked_event_at_the_same_time(service: Service) -> None:
    """One claims it; if that one dies, another takes over after a while."""
    service.failures["a"] = RuntimeError("not now")
    await service.deliver("a")
    service.moment += timedelta(seconds=5)

    assert len(await service.parked.claim(10)) == 1
    assert await service.parked.claim(10) == []
    service.moment += timedelta(seconds=31)
    assert len(await service.parked.claim(10)) == 1


async def test_the_pauses_between_attempts_grow_up_to_a_minute(service: Service) -> None:
    """A fault that passes costs seconds, one that lasts costs little work."""
    service.failures["a"] = RuntimeError("not now")
    await service.deliver("a")
    pauses = []
    for _ in range(9):
        (parked,) = (await service.parked.page(1)).items
        pauses.append((parked.next_attempt_at - service.moment).total_seconds())
        await service.pass_time(pauses[-1])

    assert pauses[0] <= 1
    assert pauses[:6] == sorted(pauses[:6])
    assert all(45 <= pause <= 60 for pause in pauses[6:])
