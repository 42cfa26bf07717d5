"""Messages of the outbox: each is published, and never before an earlier one with its key."""

import asyncio
import json
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
from fastapi import FastAPI
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel
from sqlalchemy import Connection, MetaData, func, select

from fakes.access import opened
from fakes.pauses import short_pause
from fakes.schemas import FromModels
from fakes.waiting import until
from orderflow_hosting.background import BackgroundWork
from orderflow_hosting.database import Database
from orderflow_hosting.events import MOST_BYTES, read_event
from orderflow_hosting.outbox import (
    Message,
    Relay,
    add_within,
    message,
    outbox_router,
    outbox_tables,
    unchanged,
)
from orderflow_hosting.outbox.calls import MOST_BYTES_AT_ONCE
from orderflow_hosting.outbox.lease import CALL_SECONDS, LEASE_SECONDS, Lease
from orderflow_hosting.outbox.relay import AT_ONCE, NotPublished
from orderflow_hosting.outbox.table import OUTBOX
from orderflow_hosting.sidecar import Sidecar

TABLES = MetaData()
outbox_tables(TABLES)
NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


class Died(Exception):
    """The process ended at this point."""


def refused(code: grpc.StatusCode = grpc.StatusCode.INTERNAL) -> grpc.aio.AioRpcError:
    return grpc.aio.AioRpcError(code, grpc.aio.Metadata(), grpc.aio.Metadata(), "no broker")


class Broker(Sidecar):
    """Records what is published; `before` and `after` may raise or wait."""

    def __init__(self) -> None:
        """Connect to nothing."""
        self.published: list[tuple[str, bytes]] = []
        self.calls: list[list[str]] = []
        self.refused_keys: set[str] = set()
        self.failures: list[tuple[Callable[[str], bool], Exception]] = []
        self.before: Callable[[], Any] | None = None

    async def publish_together(
        self, topic: str, events: Sequence[tuple[str, bytes]], *, seconds: float
    ) -> None:
        """Record the events, some of them even if the call fails."""
        assert seconds > 0
        self.calls.append([key for key, _ in events])
        if self.before is not None:
            await self.before()
        takes, error = self.failures.pop(0) if self.failures else (lambda _: True, None)
        for key, event in events:
            if takes(key) and key not in self.refused_keys:
                self.published.append((topic, event))
        if error is not None:
            raise error
        if self.refused_keys.intersection(key for key, _ in events):
            raise refused()

    def has(self, count: int) -> bool:
        """Whether so many events were published."""
        return len(self.published) == count

    def of(self, key: str) -> list[str]:
        """Return what was published with a key, each time that the newest was repeated once."""
        events = [event.decode() for _, event in self.published]
        return [event for event, _ in groupby(each for each in events if each.split(".")[0] == key)]


class Service:
    """A service with an outbox."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.broker = Broker()
        self.taken_back: list[tuple[str, str]] = []
        self.relay = self.replica()

    def replica(self, lease: Lease | None = None) -> Relay:
        """Start another process of the service."""
        return Relay(self.database, self.broker, self.take_back, lease)

    def take_back(self, _: Connection, refused: Message, reason: str) -> None:
        """Record what no sidecar accepts."""
        self.taken_back.append((refused.topic, reason))

    async def add(self, *names: str, topic: str = "things") -> None:
        """Write messages named `<key>.<number>`."""
        messages = [Message(name.split(".")[0], topic, name.encode()) for name in names]
        await self.database.write(lambda connection: add_within(connection, *messages))

    async def left(self) -> int:
        """Count the messages in the outbox."""
        count = select(func.count()).select_from(OUTBOX)
        return await self.database.read(lambda connection: connection.scalar(count)) or 0


@asynccontextmanager
async def serving(folder: Path) -> AsyncIterator[Service]:
    database = Database(f"sqlite:///{folder}/outbox.db", FromModels(TABLES))
    yield Service(database)
    database.close()


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Service]:
    async with serving(tmp_path) as service:
        yield service


async def test_what_is_promised_is_published_once(service: Service) -> None:
    """Each message goes to its topic as it is, and is removed."""
    await service.add("a.1", "b.1")
    await service.add("a.2", topic="others")

    for _ in range(2):
        await service.relay.publish_waiting()

    assert sorted(service.broker.published) == [
        *(("others", b"a.2"), ("things", b"a.1"), ("things", b"b.1"))
    ]
    assert await service.left() == 0


async def test_nothing_of_a_failed_transaction_is_published(service: Service) -> None:
    """A message is owed only by a change that is recorded."""

    def fail(connection: Connection) -> None:
        add_within(connection, Message("a", "things", b"a.1"))
        raise Died

    with pytest.raises(Died):
        await service.database.write(fail)
    await service.relay.publish_waiting()

    assert service.broker.published == []


async def test_one_call_has_no_key_twice(service: Service) -> None:
    """A sidecar publishes the events of one call in any sequence."""
    await service.add("a.1", "b.1", "a.2", "c.1", "a.3", "b.2")

    await service.relay.publish_waiting()

    assert service.broker.calls == [["a", "b", "c"], ["a", "b"], ["a"]]


async def test_calls_are_not_too_large(service: Service) -> None:
    """A sidecar accepts a few megabytes; one message that is larger goes alone."""
    half = b"." * (MOST_BYTES_AT_ONCE // 2)
    large = [Message(f"k{n}", "things", f"k{n}".encode() + half * size) for n, size in SIZES]
    await service.database.write(lambda connection: add_within(connection, *large))

    await service.relay.publish_waiting()

    assert service.broker.calls == [["k0"], ["k1"], ["k2"], ["k3", "k4"]]


SIZES = [(0, 1), (1, 1), (2, 3), (3, 0), (4, 0)]

KEYS = ("a", "b", "c")
STEPS = st.one_of(
    st.tuples(st.just("add"), st.lists(st.sampled_from(KEYS), min_size=1, max_size=8)),
    st.tuples(
        st.just("fail"),
        st.sets(st.sampled_from(KEYS)),
        st.sampled_from([refused(), refused(grpc.StatusCode.DEADLINE_EXCEEDED), Died()]),
    ),
    st.just(("publish",)),
)


@settings(max_examples=60, deadline=None)
@given(steps=st.lists(STEPS, max_size=25))
async def test_whatever_fails_nothing_is_lost_or_overtaken(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[Any, ...]]
) -> None:
    """Calls fail although they published a part, and processes end before or after they remove."""
    async with serving(tmp_path_factory.mktemp("run")) as service:
        counts: dict[str, int] = defaultdict(int)
        for step in steps:
            if step[0] == "add":
                names = []
                for key in step[1]:
                    counts[key] += 1
                    names.append(f"{key}.{counts[key]}")
                await service.add(*names)
            elif step[0] == "fail":
                taken, error = step[1], step[2]
                service.broker.failures.append((taken.__contains__, error))
            else:
                try:
                    await service.relay.publish_waiting()
                except NotPublished:
                    pass
                except Died:
                    service.relay = service.replica()
        service.broker.failures.clear()
        await service.relay.publish_waiting()

        assert await service.left() == 0
        for key in KEYS:
            assert service.broker.of(key) == [f"{key}.{n + 1}" for n in range(counts[key])]


async def test_a_process_that_ends_before_it_removes_publishes_again(service: Service) -> None:
    """A message may come twice, but does not get lost."""
    await service.add("a.1", "a.2")
    service.broker.failures.append((lambda _: True, Died()))
    with pytest.raises(Died):
        await service.relay.publish_waiting()

    await service.replica().publish_waiting()

    assert [event for _, event in service.broker.published] == [b"a.1", b"a.1", b"a.2"]


async def test_a_key_that_cannot_be_published_holds_up_no_other(service: Service) -> None:
    """Not even if its messages are the oldest and more than are read at once."""
    await service.add(*(f"bad.{number}" for number in range(2 * AT_ONCE)))
    await service.add("a.1", "b.1", "a.2")
    service.broker.refused_keys = {"bad"}

    with pytest.raises(NotPublished, match=r"1 keys are held up, bad by: INTERNAL: no broker"):
        await service.relay.publish_waiting()
    assert (service.broker.of("a"), service.broker.of("b")) == (["a.1", "a.2"], ["b.1"])
    assert service.broker.of("bad") == []

    service.broker.refused_keys = set()
    await service.relay.publish_waiting()
    assert len(service.broker.of("bad")) == 2 * AT_ONCE


async def test_while_nothing_can_be_published_not_everything_is_tried(service: Service) -> None:
    """An unavailable broker costs little, however much waits for it."""
    keys = {f"k{number}" for number in range(3 * AT_ONCE)}
    await service.add(*(f"{key}.1" for key in sorted(keys)))
    service.broker.refused_keys = keys

    with pytest.raises(NotPublished):
        await service.relay.publish_waiting()

    assert len(service.broker.calls) == 1 + AT_ONCE
    assert await service.left() == 3 * AT_ONCE


@pytest.mark.parametrize(("size", "is_taken_back"), [(MOST_BYTES + 1, True), (10, False)])
async def test_what_no_sidecar_accepts_is_taken_back(
    service: Service, size: int, *, is_taken_back: bool
) -> None:
    """A small message that a sidecar refuses in the same way is tried again."""
    await service.database.write(
        lambda connection: add_within(connection, Message("a", "things", b"." * size))
    )
    service.broker.failures = [(lambda _: False, refused(grpc.StatusCode.RESOURCE_EXHAUSTED))]

    if is_taken_back:
        await service.relay.publish_waiting()
    else:
        with pytest.raises(NotPublished):
            await service.relay.publish_waiting()

    taken_back = [("things", "RESOURCE_EXHAUSTED: no broker")] if is_taken_back else []
    assert (service.taken_back, await service.left()) == (taken_back, 0 if is_taken_back else 1)


async def test_what_this_process_promises_is_published_at_once(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It does not wait until the relay looks again."""
    monkeypatch.setattr("orderflow_hosting.outbox.relay.LOOK_AGAIN_SECONDS", 3600.0)
    async with BackgroundWork(short_pause) as background:
        service.relay.keep_publishing(background)
        for number in range(3):
            await service.add(f"a.{number}")
            await until(partial(service.broker.has, number + 1))


async def test_what_another_process_promised_is_published_soon(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The relay looks again and again, also after the broker was away."""
    monkeypatch.setattr("orderflow_hosting.outbox.relay.LOOK_AGAIN_SECONDS", 0.01)
    service.broker.failures = [(lambda _: False, refused())] * 3
    async with BackgroundWork(short_pause) as background:
        service.relay.keep_publishing(background)
        other = Database(str(service.database._engine.url), FromModels(TABLES))
        await other.write(lambda connection: add_within(connection, Message("a", "things", b"a")))
        other.close()
        await until(lambda: bool(service.broker.published))


class Clock:
    """The database's time and that of the processes, which `pass_time` moves on."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def database_time(self, _: Connection) -> datetime:
        return NOON + timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        return self.seconds

    def lease(self) -> Lease:
        return Lease(self.database_time, self.monotonic)


async def test_one_replica_publishes_until_it_ends(service: Service) -> None:
    """Another takes over when the lease expires, or at once if it is given back."""
    clock = Clock()
    first, second, third = (service.replica(clock.lease()) for _ in range(3))
    await service.add("a.1")
    await first.publish_waiting()
    await service.add("a.2")

    await second.publish_waiting()
    assert service.broker.of("a") == ["a.1"]
    clock.seconds += LEASE_SECONDS
    await second.publish_waiting()
    assert service.broker.of("a") == ["a.1", "a.2"]

    await service.add("a.3")
    await third.publish_waiting()
    assert service.broker.of("a") == ["a.1", "a.2"]
    await second.give_back()
    await third.publish_waiting()
    assert service.broker.of("a") == ["a.1", "a.2", "a.3"]


async def test_a_holder_that_publishes_for_long_keeps_the_lease(service: Service) -> None:
    """It renews the lease before each page."""
    clock = Clock()
    first, second = service.replica(clock.lease()), service.replica(clock.lease())
    await service.add(*(f"k{number}.1" for number in range(5 * AT_ONCE)))

    async def take_long() -> None:
        clock.seconds += 0.4 * LEASE_SECONDS
        await second.publish_waiting()

    service.broker.before = take_long
    await first.publish_waiting()

    assert len(service.broker.calls) == 5
    assert await service.left() == 0


async def test_a_former_holder_begins_no_call(service: Service) -> None:
    """It was paused in a call, which may repeat one message of each key, and no more.

    No broker can tell that call from others. It ends before the lease does, unless the pause comes
    between the check of the lease and the call.
    """
    clock = Clock()
    first, second = service.replica(clock.lease()), service.replica(clock.lease())
    await service.add("a.1", "a.2", "a.3")
    is_paused, goes_on = asyncio.Event(), asyncio.Event()

    async def pause() -> None:
        service.broker.before = None
        is_paused.set()
        await goes_on.wait()

    service.broker.before = pause
    former = asyncio.create_task(first.publish_waiting())
    await is_paused.wait()
    clock.seconds += LEASE_SECONDS
    await second.publish_waiting()
    goes_on.set()
    with pytest.raises(NotPublished, match="the lease ends"):
        await former

    assert [event for _, event in service.broker.published] == [
        *(b"a.1", b"a.2", b"a.3"),
        b"a.1",
    ]
    assert await service.left() == 0


def test_a_call_ends_before_the_lease() -> None:
    """The shorter the rest of the lease, the shorter the call."""
    clock = Clock()
    lease = clock.lease()
    assert lease.seconds_for_a_call == 0
    lease._ends_at = clock.seconds + LEASE_SECONDS

    assert lease.seconds_for_a_call == CALL_SECONDS
    clock.seconds += LEASE_SECONDS - 1
    assert 0 < lease.seconds_for_a_call < 1
    clock.seconds += 1
    assert lease.seconds_for_a_call == 0


class Thing(BaseModel):
    """Some data."""

    name: str
    note: str | None = None


def test_a_message_is_a_cloud_event_about_its_key() -> None:
    """Its id lets consumers recognise a repetition, and empty fields are left out."""
    written = message("things", Thing(name="x"), app_id="app", subject="s", event_id="s.1")

    event = json.loads(written.event)
    assert (written.key, written.topic) == ("s", "things")
    assert (event["id"], event["source"], event["subject"]) == ("s.1", "/orderflow/app", "s")
    assert event["data"] == {"name": "x"}


@pytest.mark.parametrize("subject", ["é", "a\nb", "x" * 500, "\U0001f600"])
def test_a_key_can_be_sent_in_a_header(subject: str) -> None:
    """A broker's headers take plain text only; other subjects are digested, always alike."""
    event = json.dumps({"specversion": "1.0", "id": "i", "subject": subject}).encode()
    keys = {unchanged("things", read_event(event)).key for _ in range(2)}

    (key,) = keys
    assert key.isascii()
    assert key.isprintable()
    assert len(key) == 64


async def test_the_backlog_is_visible(service: Service) -> None:
    """How many messages wait, and for how long the oldest does."""
    http = FastAPI()
    http.include_router(
        outbox_router(service.database, lambda: datetime.now(UTC) + timedelta(minutes=1))
    )
    transport = httpx.ASGITransport(opened(http))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        empty = (await client.get("/outbox")).json()
        await service.add("a.1", "a.2", "b.1")
        full = (await client.get("/outbox")).json()

    assert empty == {"messages": 0, "oldest_at": None, "age_seconds": 0.0}
    assert full["messages"] == 3
    assert 60 <= full["age_seconds"] < 65
