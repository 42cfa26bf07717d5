import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
from cloudevents.http import CloudEvent
from fastapi import FastAPI
from sqlalchemy import MetaData

from fakes.access import opened
from fakes.schemas import FromModels
from orderflow_contracts.dead_letters import DeadLetter
from orderflow_contracts.fields import readable_order_id
from orderflow_hosting import problems
from orderflow_hosting.database import Database
from orderflow_hosting.dead_letters import (
    RETRIES_EXHAUSTED,
    DeadLetters,
    dead_letter_router,
    dead_letter_table,
)
from orderflow_hosting.problems import Problem
from orderflow_hosting.sidecar import Sidecar

TABLES = MetaData()
TABLE = dead_letter_table(TABLES, "order_id")
TOPIC = "approvals.requested"


class FakeSidecar(Sidecar):
    """Notes what is published, and may have something happen at that moment."""

    def __init__(self) -> None:
        """Connect to nothing."""
        self.published: list[tuple[str, dict[str, Any], str]] = []
        self.failure: Exception | None = None
        self.meanwhile: Any = None

    async def publish_raw(self, topic: str, data: bytes, content_type: str) -> None:
        """Note the event."""
        if self.failure is not None:
            raise self.failure
        self.published.append((topic, json.loads(data), content_type))
        if self.meanwhile is not None:
            await self.meanwhile()


class Kept:
    """Dead letters, and the handlers that they ask the sidecar to call."""

    def __init__(self, letters: DeadLetters, sidecar: FakeSidecar) -> None:
        self.letters = letters
        self.sidecar = sidecar

    async def arrive(self, event: CloudEvent) -> None:
        """Deliver an event as the sidecar does from the dead-letter topic."""
        await self.letters._arrived(TOPIC)(event)

    async def refuse(self, event: CloudEvent, reason: str = "no good") -> None:
        """Refuse an event as a service does."""
        await self.letters.refuse(TOPIC, event, reason, "o-1")

    async def all(self) -> list[DeadLetter]:
        """Read them all."""
        return (await self.letters.page(100, None)).items


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Kept]:
    database = Database(f"sqlite:///{tmp_path}/letters.db", FromModels(TABLES))
    sidecar = FakeSidecar()
    yield Kept(DeadLetters(database, TABLE, sidecar, subject_of=readable_order_id), sidecar)
    database.close()


def event(data: object = None, event_id: str = "e-1") -> CloudEvent:
    attributes = {"id": event_id, "type": "t", "source": "s"}
    return CloudEvent(attributes, {"order_id": "o-1"} if data is None else data)


async def test_a_refused_event_that_arrives_is_kept_once(kept: Kept) -> None:
    """The reason was noted at the refusal; the arrival afterwards adds nothing."""
    await kept.refuse(event())
    await kept.arrive(event())
    await kept.arrive(event())

    (letter,) = await kept.all()
    assert (letter.reason, letter.subject, letter.event_id) == ("no good", "o-1", "e-1")
    assert letter.data == {"order_id": "o-1"}


async def test_an_event_that_was_given_up_is_kept_with_its_order(kept: Kept) -> None:
    """What the sidecar gave up on tells its order where one can be read."""
    await kept.arrive(event())

    (letter,) = await kept.all()
    assert (letter.reason, letter.subject) == (RETRIES_EXHAUSTED, "o-1")


@pytest.mark.parametrize("odd", ["", "a\0b", "\ud800", "\U0001f600", "x" * 1000])
async def test_no_text_keeps_an_event_from_being_recorded(kept: Kept, odd: str) -> None:
    """What a database refuses in an id or a reason is left out or escaped, and the rest stays."""
    await kept.refuse(event(event_id=odd or "-"), reason=f"because of {odd}!")
    await kept.arrive(event(event_id=odd or "-"))

    (letter,) = await kept.all()
    assert letter.reason.startswith("because of ")
    assert "\0" not in letter.reason + letter.event_id


async def test_same_id_with_other_data_is_another_letter(kept: Kept) -> None:
    """Publishers may use an id twice; nothing that they said is lost."""
    await kept.refuse(event({"order_id": "o-1", "n": 1}))
    await kept.refuse(event({"order_id": "o-1", "n": 2}))

    assert len(await kept.all()) == 2


async def test_sending_again_keeps_the_id(kept: Kept) -> None:
    """An event that is sent again is the same event for whoever keeps count."""
    await kept.refuse(event())
    (letter,) = await kept.all()

    await kept.letters.resend(letter.id)

    ((topic, sent, content_type),) = kept.sidecar.published
    assert (topic, sent["id"], sent["data"]) == (TOPIC, "e-1", {"order_id": "o-1"})
    assert content_type == "application/cloudevents+json"
    assert (await kept.all())[0].resent_at is not None


async def test_what_is_refused_again_waits_again(kept: Kept) -> None:
    """A letter that was sent again in vain shows as waiting, with the newest reason."""
    await kept.refuse(event())
    (letter,) = await kept.all()
    await kept.letters.resend(letter.id)

    await kept.refuse(event(), "still no good")

    (again,) = await kept.all()
    assert (again.id, again.reason, again.resent_at) == (letter.id, "still no good", None)


async def test_a_refusal_may_overtake_the_sending(kept: Kept) -> None:
    """An event that is refused while it is being sent again does not read as dealt with."""
    await kept.refuse(event())
    (letter,) = await kept.all()
    kept.sidecar.meanwhile = lambda: kept.refuse(event(), "at once")

    await kept.letters.resend(letter.id)

    (again,) = await kept.all()
    assert (again.reason, again.resent_at) == ("at once", None)


async def test_what_is_given_up_again_waits_again(kept: Kept) -> None:
    """So does a letter on which the sidecar gave up a second time."""
    await kept.arrive(event())
    (letter,) = await kept.all()
    await kept.letters.resend(letter.id)

    await kept.arrive(event())

    assert (await kept.all())[0].resent_at is None


async def test_a_letter_that_cannot_be_sent_waits(kept: Kept) -> None:
    """While the broker is away nothing is marked as sent."""
    await kept.refuse(event())
    (letter,) = await kept.all()
    kept.sidecar.failure = grpc.aio.AioRpcError(
        grpc.StatusCode.UNAVAILABLE, grpc.aio.Metadata(), grpc.aio.Metadata(), "away"
    )

    with pytest.raises(Problem) as problem:
        await kept.letters.resend(letter.id)

    assert (problem.value.status, problem.value.code) == (503, "SIDECAR_UNAVAILABLE")
    assert (await kept.all())[0].resent_at is None


@pytest.mark.parametrize(
    "data",
    [
        "no JSON {",
        17,
        [],
        {},
        None,
        {"a": "\ud800\0"},
        {"n": 10**40},
        {"n": float("nan")},
        "\ud800",
    ],
)
async def test_any_garbage_can_be_kept_and_shown(kept: Kept, data: object) -> None:
    """Dead letters are the place of last resort: they take whatever may come."""
    await kept.arrive(event(data))

    async with people(kept) as client:
        assert (await client.get("/dead-letters")).status_code == 200


async def test_deeply_nested_garbage_can_be_kept_and_shown(kept: Kept) -> None:
    """Data that is nested too deep to be written as JSON for people is shown as text."""
    deep: list[object] = []
    for _ in range(300):
        deep = [deep]
    await kept.arrive(event(deep))
    await kept.arrive(event(deep))

    async with people(kept) as client:
        page = (await client.get("/dead-letters")).json()

    (letter,) = page["items"]
    assert letter["data"].startswith("[[[")


async def test_times_are_those_of_the_clock(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    """A letter says when it came and when it was sent again, by the clock that was passed in."""
    moments = [datetime(2026, 3, 1, hour, tzinfo=UTC) for hour in (9, 10)]
    monkeypatch.setattr(kept.letters, "_clock", iter(moments).__next__)

    await kept.refuse(event())
    await kept.letters.resend(1)

    (letter,) = await kept.all()
    assert [letter.received_at, letter.resent_at] == moments


async def test_letters_are_listed_newest_first_in_pages(kept: Kept) -> None:
    """Pages follow each other by cursor, and unknown cursors and letters are problems."""
    for number in range(5):
        await kept.refuse(event({"n": number}))

    async with people(kept) as client:
        first = (await client.get("/dead-letters?limit=3")).json()
        rest = (await client.get("/dead-letters", params={"after": first["next"]})).json()
        wrong = await client.get("/dead-letters?after=eHl6")
        sent = await client.post(f"/dead-letters/{first['items'][0]['id']}/resend")
        missing = await client.post("/dead-letters/77/resend")
        huge = await client.post(f"/dead-letters/{10**30}/resend")

    assert {item["order_id"] for item in first["items"]} == {"o-1"}
    numbers = [item["data"]["n"] for page in (first, rest) for item in page["items"]]
    assert numbers == [4, 3, 2, 1, 0]
    assert rest["next"] is None
    assert wrong.status_code == 422
    assert sent.status_code == 202
    assert (missing.status_code, missing.json()["code"]) == (404, "DEAD_LETTER_NOT_FOUND")
    assert huge.status_code == 422


def people(kept: Kept) -> httpx.AsyncClient:
    app = FastAPI(openapi_url=None)
    problems.install(app)
    app.include_router(dead_letter_router(kept.letters))
    transport = httpx.ASGITransport(opened(app))
    return httpx.AsyncClient(transport=transport, base_url="http://orders")
