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
    """Records what is published, and may run something at that moment."""

    def __init__(self) -> None:
        """Connect to nothing."""
        self.published: list[tuple[str, dict[str, Any], str]] = []
        self.failure: Exception | None = None
        self.meanwhile: Any = None

    async def publish_raw(self, topic: str, data: bytes, content_type: str) -> None:
        """Record the event."""
        if self.failure is not None:
            raise self.failure
        self.published.append((topic, json.loads(data), content_type))
        if self.meanwhile is not None:
            await self.meanwhile()


class DeadLetterBox:
    """Dead letters, and the handlers that they register with the sidecar."""

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
        """Return all dead letters."""
        return (await self.letters.page(100, None)).items


@pytest.fixture
def box(tmp_path: Path) -> Iterator[DeadLetterBox]:
    database = Database(f"sqlite:///{tmp_path}/letters.db", FromModels(TABLES))
    sidecar = FakeSidecar()
    yield DeadLetterBox(
        DeadLetters(database, TABLE, sidecar, subject_of=readable_order_id), sidecar
    )
    database.close()


def make_event(data: object = None, event_id: str = "e-1") -> CloudEvent:
    attributes = {"id": event_id, "type": "t", "source": "s"}
    return CloudEvent(attributes, {"order_id": "o-1"} if data is None else data)


async def test_a_refused_event_becomes_one_dead_letter(box: DeadLetterBox) -> None:
    """The reason is recorded at the refusal; the later arrival on the topic adds nothing."""
    await box.refuse(make_event())
    await box.arrive(make_event())
    await box.arrive(make_event())

    (dead_letter,) = await box.all()
    assert (dead_letter.reason, dead_letter.subject, dead_letter.event_id) == (
        "no good",
        "o-1",
        "e-1",
    )
    assert dead_letter.data == {"order_id": "o-1"}


async def test_a_given_up_event_is_stored_with_its_order_id(box: DeadLetterBox) -> None:
    """The order id is stored if one can be read."""
    await box.arrive(make_event())

    (dead_letter,) = await box.all()
    assert (dead_letter.reason, dead_letter.subject) == (RETRIES_EXHAUSTED, "o-1")


@pytest.mark.parametrize("odd", ["", "a\0b", "\ud800", "\U0001f600", "x" * 1000])
async def test_any_text_can_be_recorded(box: DeadLetterBox, odd: str) -> None:
    """Characters that a database refuses in an id or a reason are dropped or escaped."""
    await box.refuse(make_event(event_id=odd or "-"), reason=f"because of {odd}!")
    await box.arrive(make_event(event_id=odd or "-"))

    (dead_letter,) = await box.all()
    assert dead_letter.reason.startswith("because of ")
    assert "\0" not in dead_letter.reason + dead_letter.event_id


async def test_the_same_id_with_other_data_is_another_dead_letter(box: DeadLetterBox) -> None:
    """Publishers may reuse an id; no event is lost."""
    await box.refuse(make_event({"order_id": "o-1", "n": 1}))
    await box.refuse(make_event({"order_id": "o-1", "n": 2}))

    assert len(await box.all()) == 2


async def test_resending_keeps_the_event_id(box: DeadLetterBox) -> None:
    """Consumers that detect duplicates see the same event."""
    await box.refuse(make_event())
    (dead_letter,) = await box.all()

    await box.letters.resend(dead_letter.id)

    ((topic, sent, content_type),) = box.sidecar.published
    assert (topic, sent["id"], sent["data"]) == (TOPIC, "e-1", {"order_id": "o-1"})
    assert content_type == "application/cloudevents+json"
    assert (await box.all())[0].resent_at is not None


async def test_a_resent_event_that_is_refused_again_is_waiting_again(box: DeadLetterBox) -> None:
    """It shows the newest reason."""
    await box.refuse(make_event())
    (dead_letter,) = await box.all()
    await box.letters.resend(dead_letter.id)

    await box.refuse(make_event(), "still no good")

    (again,) = await box.all()
    assert (again.id, again.reason, again.resent_at) == (dead_letter.id, "still no good", None)


async def test_a_refusal_during_the_resend_is_kept(box: DeadLetterBox) -> None:
    """An event refused while it is being resent does not show as resent."""
    await box.refuse(make_event())
    (dead_letter,) = await box.all()
    box.sidecar.meanwhile = lambda: box.refuse(make_event(), "at once")

    await box.letters.resend(dead_letter.id)

    (again,) = await box.all()
    assert (again.reason, again.resent_at) == ("at once", None)


async def test_a_resent_event_that_is_given_up_again_is_waiting_again(box: DeadLetterBox) -> None:
    """The same holds when the sidecar gives the event up again."""
    await box.arrive(make_event())
    (dead_letter,) = await box.all()
    await box.letters.resend(dead_letter.id)

    await box.arrive(make_event())

    assert (await box.all())[0].resent_at is None


async def test_a_dead_letter_that_cannot_be_resent_stays_waiting(box: DeadLetterBox) -> None:
    """While the broker is unavailable nothing is marked as resent."""
    await box.refuse(make_event())
    (dead_letter,) = await box.all()
    box.sidecar.failure = grpc.aio.AioRpcError(
        grpc.StatusCode.UNAVAILABLE, grpc.aio.Metadata(), grpc.aio.Metadata(), "away"
    )

    with pytest.raises(Problem) as problem:
        await box.letters.resend(dead_letter.id)

    assert (problem.value.status, problem.value.code) == (503, "SIDECAR_UNAVAILABLE")
    assert (await box.all())[0].resent_at is None


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
async def test_any_data_can_be_stored_and_shown(box: DeadLetterBox, data: object) -> None:
    """Dead letters are the last resort, so they accept everything."""
    await box.arrive(make_event(data))

    async with people(box) as client:
        assert (await client.get("/dead-letters")).status_code == 200


async def test_deeply_nested_data_can_be_stored_and_shown(box: DeadLetterBox) -> None:
    """Data nested too deeply to be formatted as JSON is shown as text."""
    deep: list[object] = []
    for _ in range(300):
        deep = [deep]
    await box.arrive(make_event(deep))
    await box.arrive(make_event(deep))

    async with people(box) as client:
        page = (await client.get("/dead-letters")).json()

    (dead_letter,) = page["items"]
    assert dead_letter["data"].startswith("[[[")


async def test_times_are_those_of_the_clock(
    box: DeadLetterBox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The times of arrival and resending come from the injected clock."""
    moments = [datetime(2026, 3, 1, hour, tzinfo=UTC) for hour in (9, 10)]
    monkeypatch.setattr(box.letters, "_clock", iter(moments).__next__)

    await box.refuse(make_event())
    await box.letters.resend(1)

    (dead_letter,) = await box.all()
    assert [dead_letter.received_at, dead_letter.resent_at] == moments


async def test_dead_letters_are_listed_newest_first_in_pages(box: DeadLetterBox) -> None:
    """Pages use cursors; unknown cursors and dead letters are problems."""
    for number in range(5):
        await box.refuse(make_event({"n": number}))

    async with people(box) as client:
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


def people(box: DeadLetterBox) -> httpx.AsyncClient:
    app = FastAPI(openapi_url=None)
    problems.install(app)
    app.include_router(dead_letter_router(box.letters))
    transport = httpx.ASGITransport(opened(app))
    return httpx.AsyncClient(transport=transport, base_url="http://orders")
