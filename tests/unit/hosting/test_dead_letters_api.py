"""Dead letters and parked events over HTTP."""

import base64
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import MetaData, update

from fakes.access import opened
from fakes.events import cloud_event
from fakes.outboxes import Owed
from fakes.schemas import FromModels
from orderflow_contracts.fields import readable_order_id
from orderflow_hosting.access import Audit, Principal, Role, access_tables
from orderflow_hosting.application import http_application
from orderflow_hosting.database import Database
from orderflow_hosting.dead_letters import (
    DeadLetters,
    Known,
    Outcomes,
    ParkedEvents,
    dead_letter_router,
    dead_letter_table,
    parked_event_router,
    parked_event_table,
)
from orderflow_hosting.events import Event, read_event
from orderflow_hosting.outbox import outbox_tables

TABLES = MetaData()
LETTERS = dead_letter_table(TABLES, "order_id")
PARKED = parked_event_table(TABLES)
outbox_tables(TABLES)
ACCESS = access_tables(TABLES)
TOPIC = "orders.submitted"
NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


class Service:
    """A service with dead letters and parked events, and its clock."""

    def __init__(self, database: Database) -> None:
        self.moment = NOON
        self.database = database
        self.broker = Owed(database)
        self.letters = DeadLetters(
            database, LETTERS, subject_of=readable_order_id, clock=lambda: self.moment
        )
        self.parked = ParkedEvents(database, PARKED, clock=lambda: self.moment)
        self.audit = Audit(database, ACCESS, clock=lambda: self.moment)
        self.known: dict[str, Known] = {}
        self.outcomes = Outcomes(database, LETTERS, PARKED, self.audit, self.find)

    async def find(self, _topic: str, event: Event) -> Known | None:
        """Find what an event is about."""
        return self.known.get(readable_order_id(event.content) or "")

    async def refuse(self, raw: bytes, reason: str = "no", topic: str = TOPIC) -> None:
        """Record a dead letter."""
        await self.letters.record(topic, read_event(raw), reason)


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Service]:
    database = Database(f"sqlite:///{tmp_path}/letters.db", FromModels(TABLES))
    await database.ready()
    yield Service(database)
    database.close()


@pytest.fixture
async def http(service: Service) -> AsyncIterator[httpx.AsyncClient]:
    routers = (
        dead_letter_router(service.letters, service.outcomes),
        parked_event_router(service.parked),
    )
    app = http_application("Tests", "", *routers)
    transport = httpx.ASGITransport(opened(app))
    async with httpx.AsyncClient(transport=transport, base_url="http://orders") as client:
        yield client


async def ids(http: httpx.AsyncClient, **query: str) -> list[int]:
    answer = await http.get("/dead-letters", params=query)
    assert answer.status_code == 200, answer.text
    return [item["id"] for item in answer.json()["items"]]


async def test_dead_letters_are_listed_newest_first_in_pages(
    service: Service, http: httpx.AsyncClient
) -> None:
    """Pages use cursors, and an unknown one is a problem."""
    for number in range(5):
        await service.refuse(cloud_event({"order_id": "o-1", "n": number}))

    first = (await http.get("/dead-letters?limit=3")).json()
    rest = (await http.get("/dead-letters", params={"after": first["next"]})).json()
    wrong = await http.get("/dead-letters?after=eHl6")

    assert {item["order_id"] for item in first["items"]} == {"o-1"}
    assert [item["id"] for page in (first, rest) for item in page["items"]] == [5, 4, 3, 2, 1]
    assert rest["next"] is None
    assert wrong.status_code == 422


async def test_a_list_has_no_payloads(service: Service, http: httpx.AsyncClient) -> None:
    """However large the events were, a list is small; one is read with all of it."""
    large = {"order_id": "o-1", "note": "x" * 900_000}
    envelope = {**json.loads(cloud_event(large)), "source": "/" + "s" * 100_000}
    await service.refuse(json.dumps(envelope).encode())

    listed = await http.get("/dead-letters")
    letter = (await http.get("/dead-letters/1")).json()

    assert len(listed.content) < 1000
    assert list(listed.json()["items"][0]) == [
        "id",
        "topic",
        "event_id",
        "source",
        "order_id",
        "reason",
        "attempts",
        "received_at",
        "resent_at",
        "resent_as",
        "discarded_at",
        "discard_reason",
    ]
    assert json.loads(letter["data"]) == large
    assert letter["attributes"]["source"] == envelope["source"]


@pytest.mark.parametrize(
    ("raw", "data", "attributes"),
    [
        (b'{"a": 1}', b'{"a": 1}', {}),
        (b"no JSON {", b"no JSON {", {}),
        (b"", b"", {}),
        (b"\xff\0", b"\xff\0", {}),
        (b'{"n": 1e400}', b'{"n": 1e400}', {}),
        (b'{"n": NaN, "n": 2}', b'{"n": NaN, "n": 2}', {}),
        (b"[" * 5000, b"[" * 5000, {}),
        (
            b'{"specversion":"1.0","id":"e","shop":7,"data":{"b": [1.50]}}',
            b'{"b": [1.50]}',
            {"specversion": "1.0", "id": "e", "shop": 7},
        ),
        (
            b'{"specversion":"1.0","id":"\\ud800","data_base64":"/wA="}',
            b"\xff\0",
            {"specversion": "1.0", "id": None},
        ),
    ],
)
async def test_a_dead_letter_has_its_whole_payload(
    service: Service, http: httpx.AsyncClient, raw: bytes, data: bytes, attributes: dict[str, Any]
) -> None:
    """It is shown as text if it is text, and in base64 always."""
    await service.refuse(raw)

    answer = await http.get("/dead-letters/1")

    letter = answer.json()
    assert base64.b64decode(letter["data_base64"]) == data
    assert letter["data"] == (None if data.startswith(b"\xff") else data.decode())
    assert letter["attributes"] == attributes


async def test_dead_letters_are_filtered(service: Service, http: httpx.AsyncClient) -> None:
    """By state, topic, reason, time, and by text in the reason, the event's id or the order's."""
    await service.refuse(cloud_event({"order_id": "o-7"}, "first"), "invalid: lines")
    service.moment += timedelta(hours=1)
    await service.refuse(cloud_event({"order_id": "o-8"}, "second"), "100% Other Content", "tasks")
    service.moment += timedelta(hours=1)
    await service.refuse(cloud_event({"order_id": "o-9"}, "third"), "invalid: item")
    await http.post("/dead-letters/1/resend")
    await http.post("/dead-letters/2/discard", json={"reason": "a test"})

    assert await ids(http) == [3, 2, 1]
    assert await ids(http, state="waiting") == [3]
    assert await ids(http, state="resent") == [1]
    assert await ids(http, state="discarded") == [2]
    assert await ids(http, topic=TOPIC) == [3, 1]
    assert await ids(http, topic="order") == []
    assert await ids(http, reason="INVALID") == [3, 1]
    assert await ids(http, reason="100%") == [2]
    assert await ids(http, reason="%") == [2]
    assert await ids(http, q="other content") == [2]
    assert await ids(http, q="o-7") == [1]
    assert await ids(http, q="third") == [3]
    assert await ids(http, received_from="2026-03-01T13:00:00Z") == [3, 2]
    assert await ids(http, received_before="2026-03-01T13:00:00Z") == [1]
    assert await ids(http, topic=TOPIC, state="waiting", q="item") == [3]


@pytest.mark.parametrize("query", ["state=lost", "received_from=yesterday", "topic=", "limit=0"])
async def test_an_invalid_filter_is_refused(http: httpx.AsyncClient, query: str) -> None:
    """The answer is that of every other list."""
    answer = await http.get(f"/dead-letters?{query}")

    assert (answer.status_code, answer.json()["code"]) == (422, "INVALID_INPUT")


@pytest.mark.parametrize("path", ["", "/resend", "/discard"])
async def test_an_unknown_dead_letter_is_not_found(http: httpx.AsyncClient, path: str) -> None:
    """A number that none can have is invalid."""
    body = {"reason": "x"}

    def ask(number: int) -> Any:
        url = f"/dead-letters/{number}{path}"
        return http.post(url, json=body) if path else http.get(url)

    missing, huge = await ask(77), await ask(10**30)

    assert (missing.status_code, missing.json()["code"]) == (404, "DEAD_LETTER_NOT_FOUND")
    assert huge.status_code == 422


async def test_a_dead_letter_is_resent_as_it_was(service: Service, http: httpx.AsyncClient) -> None:
    """Without a body, or with an empty one, nothing of it changes."""
    raw = cloud_event({"order_id": "o-1"}, "e-1")
    await service.refuse(raw)

    answer = await http.post("/dead-letters/1/resend")

    assert (answer.status_code, answer.json()["event_id"]) == (202, "e-1")
    assert service.broker.published == [(TOPIC, raw)]


async def test_a_dead_letter_is_edited_and_resent(
    service: Service, http: httpx.AsyncClient
) -> None:
    """The corrected event has an id of its own, under which the first one shows it."""
    await service.refuse(cloud_event({"order_id": "o-1", "lines": []}, "e-1"))

    answer = await http.post("/dead-letters/1/resend", json={"order_id": "o-1", "lines": [1]})

    event_id = answer.json()["event_id"]
    sent = read_event(service.broker.published[0][1])
    assert (answer.status_code, sent.id) == (202, event_id)
    assert sent.content == {"order_id": "o-1", "lines": [1]}
    assert sent.attributes["correctsid"] == "e-1"
    assert (await http.get("/dead-letters/1")).json()["resent_as"] == event_id != "e-1"


@pytest.mark.parametrize("body", ["{", '{"n": 1e400}', '{"n": 1, "n": 2}'])
async def test_a_correction_is_read_as_strictly_as_an_event(
    service: Service, http: httpx.AsyncClient, body: str
) -> None:
    """What the topic would refuse is not sent."""
    await service.refuse(cloud_event({}))

    answer = await http.post(
        "/dead-letters/1/resend", content=body, headers={"content-type": "application/json"}
    )

    assert answer.status_code == 422
    assert service.broker.published == []


async def test_a_correction_that_is_not_sent_as_json_is_refused(
    service: Service, http: httpx.AsyncClient
) -> None:
    """As curl sends it by default."""
    await service.refuse(cloud_event({}))
    headers = {"content-type": "application/x-www-form-urlencoded"}

    answer = await http.post("/dead-letters/1/resend", content=b'{"n": 1}', headers=headers)

    assert (answer.status_code, answer.json()["code"]) == (422, "INVALID_INPUT")
    assert service.broker.published == []


async def test_a_dead_letter_is_discarded_with_a_reason(
    service: Service, http: httpx.AsyncClient
) -> None:
    """It stays recorded; without a reason it is not discarded."""
    await service.refuse(cloud_event({}))

    for body in ({}, {"reason": ""}, None):
        assert (await http.post("/dead-letters/1/discard", json=body)).status_code == 422
    answer = await http.post("/dead-letters/1/discard", json={"reason": "a test of ours"})

    letter = (await http.get("/dead-letters/1")).json()
    assert answer.status_code == 202
    assert letter["discard_reason"] == "a test of ours"
    assert letter["discarded_at"] == "2026-03-01T12:00:00Z"
    assert (letter["resent_at"], letter["data"]) == (None, "{}")


async def test_parked_events_are_listed_newest_first(
    service: Service, http: httpx.AsyncClient
) -> None:
    """People see what waits, why, and when it is tried again."""
    for number in range(3):
        event = read_event(cloud_event({"n": number}, f"e-{number}"))
        await service.parked.park(TOPIC, event, "Unavailable: the engine is away")

    first = (await http.get("/parked-events?limit=2")).json()
    rest = (await http.get("/parked-events", params={"after": first["next"]})).json()

    assert [item["event_id"] for page in (first, rest) for item in page["items"]] == [
        "e-2",
        "e-1",
        "e-0",
    ]
    assert rest["next"] is None
    parked = first["items"][0]
    assert (parked["topic"], parked["attempts"]) == (TOPIC, 1)
    assert parked["error"] == "Unavailable: the engine is away"
    assert parked["parked_at"] == "2026-03-01T12:00:00Z"
    assert datetime.fromisoformat(parked["next_attempt_at"]) > NOON


# What became of it


async def outcome(http: httpx.AsyncClient, number: int = 1) -> dict[str, Any] | None:
    letter = (await http.get(f"/dead-letters/{number}")).json()
    found: dict[str, Any] | None = letter["outcome"]
    return found and {name: value for name, value in found.items() if value is not None}


async def test_an_event_that_was_not_resent_has_no_outcome(
    service: Service, http: httpx.AsyncClient
) -> None:
    """Whatever else is recorded about its order."""
    await service.refuse(cloud_event({"order_id": "o-1"}))
    service.known["o-1"] = Known("order", "o-1", "completed")

    assert await outcome(http) is None


async def test_the_outcome_is_the_status_of_what_the_event_is_about(
    service: Service, http: httpx.AsyncClient
) -> None:
    """It is unknown until there is a record."""
    await service.refuse(cloud_event({"order_id": "o-1"}))
    await http.post("/dead-letters/1/resend")

    assert await outcome(http) == {"state": "unknown"}
    service.known["o-1"] = Known("order", "o-1", "reserved")
    assert await outcome(http) == {
        "state": "recorded",
        "kind": "order",
        "id": "o-1",
        "status": "reserved",
    }


async def test_the_outcome_of_a_correction_is_about_what_it_names(
    service: Service, http: httpx.AsyncClient
) -> None:
    """Not about what the first event named."""
    await service.refuse(cloud_event({"order_id": "o-1"}))
    await http.post("/dead-letters/1/resend", json={"order_id": "o-2"})
    service.known["o-1"] = Known("order", "o-1", "rejected")
    service.known["o-2"] = Known("order", "o-2", "completed")

    found = await outcome(http)

    assert found == {"state": "recorded", "kind": "order", "id": "o-2", "status": "completed"}


async def test_an_event_that_failed_again_is_parked_or_another_dead_letter(
    service: Service, http: httpx.AsyncClient
) -> None:
    """Other events with the same id, but other content, do not count."""
    await service.refuse(cloud_event({"order_id": "o-1"}, "e-1"))
    await http.post("/dead-letters/1/resend", json={"order_id": "o-2"})
    sent = service.broker.published[0][1]
    await service.refuse(cloud_event({"order_id": "o-3"}, read_event(sent).id or ""))
    await service.parked.park("others", read_event(sent), "away")
    assert await outcome(http) == {"state": "unknown"}

    await service.parked.park(TOPIC, read_event(sent), "away")
    assert await outcome(http) == {"state": "parked"}
    await service.refuse(sent)
    assert await outcome(http) == {"state": "dead_letter", "dead_letter": 3}


async def test_an_event_that_came_back_is_its_own_dead_letter_again(
    service: Service, http: httpx.AsyncClient
) -> None:
    """The audit trail has that it was resent before."""
    olga = Principal("olga", frozenset({Role.OPERATOR}), "token")
    await service.refuse(cloud_event({"order_id": "o-1"}))
    entry = await service.audit.begin(olga, "dead-letter.resend", "1", {"path": {"letter_id": 1}})
    await http.post("/dead-letters/1/resend")
    assert await outcome(http) == {"state": "unknown"}
    await service.refuse(cloud_event({"order_id": "o-1"}))
    assert await outcome(http) is None, "it is not recorded that it was published"
    await service.audit.end(entry, "done")

    assert await outcome(http) == {"state": "dead_letter", "dead_letter": 1}


async def test_a_correction_that_an_earlier_version_sent_has_an_unknown_outcome(
    service: Service, http: httpx.AsyncClient
) -> None:
    """It is not known what it was about."""
    await service.refuse(cloud_event({"order_id": "o-1"}))
    await http.post("/dead-letters/1/resend", json={"order_id": "o-2"})
    service.known["o-1"] = service.known["o-2"] = Known("order", "o-2", "completed")
    forget = update(LETTERS).values(resent_event=None)
    await service.database.write(lambda connection: connection.execute(forget))

    assert await outcome(http) == {"state": "unknown"}
