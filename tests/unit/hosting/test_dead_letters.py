"""Dead letters: recorded once, complete, and resent or discarded."""

import base64
import json
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import MetaData, insert

from fakes.events import cloud_event
from fakes.odd_json import FEW
from fakes.outboxes import Owed, fail_once
from fakes.schemas import FromModels
from orderflow_contracts.dead_letters import DeadLetter, DeadLetterWithData
from orderflow_contracts.fields import readable_order_id
from orderflow_hosting.database import Database
from orderflow_hosting.dead_letters import DeadLetters, dead_letter_table
from orderflow_hosting.dead_letters.store import ARRIVED
from orderflow_hosting.dead_letters.wanted import Wanted
from orderflow_hosting.events import read_event
from orderflow_hosting.outbox import Message, outbox_tables

TABLES = MetaData()
TABLE = dead_letter_table(TABLES, "order_id")
outbox_tables(TABLES)
TOPIC = "approvals.requested"
ORDER = {"order_id": "o-1"}
EVENT = cloud_event(ORDER, "e-1")


class DeadLetterBox:
    """Dead letters of one topic."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.broker = Owed(database)
        self.letters = DeadLetters(database, TABLE, subject_of=readable_order_id)

    async def refuse(self, raw: bytes = EVENT, reason: str = "no good") -> None:
        """Refuse an event as a service does."""
        await self.letters.record(TOPIC, read_event(raw), reason)

    async def arrive(self, raw: bytes = EVENT) -> None:
        """Deliver an event from the dead-letter topic."""
        await self.letters.arrived(TOPIC, read_event(raw))

    async def take_back(self, message: Message, reason: str) -> None:
        """Take back a message as the relay does."""
        await self.database.write(
            lambda connection: self.letters.take_back_within(connection, message, reason)
        )

    async def all(self) -> list[DeadLetter]:
        """Return all dead letters."""
        return (await self.letters.page(100, None)).items

    async def only(self) -> DeadLetterWithData:
        """Return the only dead letter with its payload."""
        (letter,) = await self.all()
        return await self.letters.letter(letter.id)


@pytest.fixture
def box(tmp_path: Path) -> Iterator[DeadLetterBox]:
    database = Database(f"sqlite:///{tmp_path}/letters.db", FromModels(TABLES))
    yield DeadLetterBox(database)
    database.close()


async def test_a_refused_event_becomes_one_dead_letter(box: DeadLetterBox) -> None:
    """The reason is recorded at the refusal; the later arrival on the topic adds nothing."""
    await box.refuse()
    await box.arrive()
    await box.arrive()

    letter = await box.only()
    assert (letter.topic, letter.event_id, letter.source) == (TOPIC, "e-1", "test")
    assert (letter.reason, letter.subject, letter.attempts) == ("no good", "o-1", 1)
    assert json.loads(letter.data or "") == ORDER
    assert letter.attributes["type"] == "a.test"


async def test_an_event_of_which_only_the_arrival_is_known_is_stored_too(
    box: DeadLetterBox,
) -> None:
    """Another sidecar or subscriber gave it up; what it is about is read if possible."""
    await box.arrive()

    letter = await box.only()
    assert (letter.reason, letter.subject) == (ARRIVED, "o-1")


@pytest.mark.parametrize("odd", ["", "a\0b", "\ud800", "\U0001f600", "x" * 1000])
async def test_any_text_can_be_recorded(box: DeadLetterBox, odd: str) -> None:
    """Characters that a database refuses in an id or a reason are dropped or escaped."""
    event = cloud_event(ORDER, odd or "-", source=odd)
    await box.refuse(event, reason=f"because of {odd}!")
    await box.arrive(event)

    letter = await box.only()
    assert letter.reason.startswith("because of ")
    assert "\0" not in letter.reason + letter.event_id + (letter.source or "")


async def test_the_same_id_with_other_data_is_another_dead_letter(box: DeadLetterBox) -> None:
    """Publishers may reuse an id; no event is lost."""
    await box.refuse(cloud_event({**ORDER, "n": 1}))
    await box.refuse(cloud_event({**ORDER, "n": 2}))

    assert len(await box.all()) == 2


async def test_the_same_id_with_another_attribute_is_another_dead_letter(
    box: DeadLetterBox,
) -> None:
    """Even without data, and if the attribute cannot be read, no event is lost."""
    others = ('"a"', '"b"', "1e400", "-1e400", '"b","mark":"c"', '"b","mark":"d"')
    events = [
        f'{{"specversion":"1.0","id":"e-1","source":"{source}","type":"t","mark":{mark}}}'.encode()
        for source in ("/shop", "/office")
        for mark in others
    ]
    for raw in events:
        await box.refuse(raw)
        await box.arrive(raw)

    assert len(await box.all()) == len(events)


async def test_an_event_published_twice_is_one_dead_letter(box: DeadLetterBox) -> None:
    """Each time the publisher's sidecar sets the time, and the attributes of the trace."""
    for number in range(2):
        await box.refuse(
            json.dumps(
                {
                    **json.loads(EVENT),
                    "time": f"2026-03-01T12:30:0{number}Z",
                    "expiration": f"2100-03-01T12:30:0{number}Z",
                    "traceid": f"00-{number}",
                    "traceparent": f"00-{number}",
                    "tracestate": f"a={number}",
                }
            ).encode()
        )

    assert len(await box.all()) == 1


async def test_bare_data_is_known_by_its_bytes(box: DeadLetterBox) -> None:
    """It has no id, and the one of a delivery changes each time."""
    for raw in (b"{", b"{", b"["):
        await box.refuse(raw)

    letters = await box.all()
    assert len({letter.event_id for letter in letters}) == len(letters) == 2
    assert all(letter.event_id.startswith("sha256:") for letter in letters)


@FEW
@given(raw=st.binary() | st.text().map(cloud_event))
async def test_no_byte_of_an_event_is_lost(box: DeadLetterBox, raw: bytes) -> None:
    """The payload is shown as text if it is text, in base64 always, and is resent as it was."""
    event, topic = read_event(raw), str(uuid.uuid4())
    await box.letters.record(topic, event, "no good")
    (listed,) = (await box.letters.page(2, None, Wanted(topic=topic))).items
    letter = await box.letters.letter(listed.id)

    assert base64.b64decode(letter.data_base64) == event.data
    assert letter.data is None or letter.data.encode() == event.data
    await box.letters.resend(letter.id)
    assert box.broker.published[-1] == (topic, raw)


# Resending


async def test_an_event_is_resent_as_it_was(box: DeadLetterBox) -> None:
    """Consumers that detect duplicates see the same event."""
    await box.refuse()

    assert await box.letters.resend(1) == "e-1"

    assert box.broker.published == [(TOPIC, EVENT)]
    letter = await box.only()
    assert letter.resent_at is not None
    assert letter.resent_as == "e-1"


@pytest.mark.parametrize(
    "corrected",
    [
        {"order_id": "o-2"},
        {"specversion": "1.0", "source": "/by-hand", "data": {"order_id": "o-2"}, "id": "e-1"},
    ],
)
async def test_a_corrected_event_has_its_own_id_and_names_the_first(
    box: DeadLetterBox, corrected: dict[str, Any]
) -> None:
    """The correction is the event's data, or a whole CloudEvent; it is another event."""
    await box.refuse()

    event_id = await box.letters.resend(1, corrected)

    ((topic, raw),) = box.broker.published
    sent = read_event(raw)
    assert (topic, sent.id, sent.content, sent.flaw) == (TOPIC, event_id, {"order_id": "o-2"}, None)
    assert event_id != "e-1"
    assert sent.source == corrected.get("source", "/orderflow/dead-letters")
    assert sent.type == "a.test"
    assert (sent.attributes["correctsid"], sent.attributes["correctssource"]) == ("e-1", "test")
    letter = await box.only()
    assert (letter.resent_as, json.loads(letter.data or "")) == (event_id, ORDER)


async def test_a_correction_of_bare_data_names_its_digest(box: DeadLetterBox) -> None:
    """Bare data has no source, so none is named."""
    await box.refuse(b"{")

    await box.letters.resend(1, ORDER)

    sent = read_event(box.broker.published[0][1])
    assert sent.attributes["correctsid"] == (await box.only()).event_id
    assert "correctssource" not in sent.attributes
    assert sent.type == "com.orderflow.approval.requested.v1"


async def test_a_resent_event_that_is_refused_again_is_waiting_again(box: DeadLetterBox) -> None:
    """It shows the newest reason."""
    await box.refuse()
    await box.letters.resend(1)

    await box.refuse(reason="still no good")

    again = await box.only()
    assert (again.id, again.reason) == (1, "still no good")
    assert (again.resent_at, again.resent_as) == (None, None)


async def test_an_event_that_no_sidecar_accepts_is_waiting_again(box: DeadLetterBox) -> None:
    """The reason says so; what was on its way to a dead-letter topic is recorded already."""
    await box.refuse()
    await box.letters.resend(1)

    for topic in (TOPIC, f"{TOPIC}.dead"):
        await box.take_back(Message("o-1", topic, EVENT), "too large")

    again = await box.only()
    assert (again.id, again.reason, again.resent_at) == (1, "too large", None)


async def test_a_resent_event_that_is_given_up_again_is_waiting_again(box: DeadLetterBox) -> None:
    """The same holds when it arrives on the dead-letter topic again."""
    await box.arrive()
    await box.letters.resend(1)

    await box.arrive()

    assert (await box.only()).resent_at is None


async def test_a_dead_letter_that_cannot_be_resent_stays_waiting(
    box: DeadLetterBox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the resend cannot be promised, nothing is marked as resent."""
    await box.refuse()
    fail_once(monkeypatch, "orderflow_hosting.dead_letters.store.add_within", OSError("away"))

    with pytest.raises(OSError, match="away"):
        await box.letters.resend(1)

    assert ((await box.only()).resent_at, box.broker.published) == (None, [])


async def test_a_discarded_dead_letter_keeps_its_payload_and_can_still_be_resent(
    box: DeadLetterBox,
) -> None:
    """Discarding deletes nothing."""
    await box.refuse()
    await box.letters.discard(1, "a test of ours")
    discarded = await box.only()
    assert (discarded.discard_reason, await box.letters.waiting(10)) == ("a test of ours", 0)
    assert discarded.discarded_at is not None

    await box.letters.resend(1)

    resent = await box.only()
    assert (resent.discarded_at, resent.discard_reason) == (None, None)
    assert box.broker.published == [(TOPIC, EVENT)]


async def test_times_are_those_of_the_clock(
    box: DeadLetterBox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The times of arrival, resending and discarding come from the injected clock."""
    moments = [datetime(2026, 3, 1, hour, tzinfo=UTC) for hour in (9, 10, 11)]
    monkeypatch.setattr(box.letters, "_clock", iter(moments).__next__)

    await box.refuse()
    await box.letters.resend(1)
    await box.letters.discard(1, "done")

    letter = await box.only()
    assert [letter.received_at, letter.resent_at, letter.discarded_at] == moments


async def test_a_dead_letter_from_before_can_be_read_and_resent(box: DeadLetterBox) -> None:
    """Earlier versions stored an event's data alone, without its bytes and attributes."""
    row = {"topic": TOPIC, "event_id": "e-0", "digest": "d", "subject": "o-1", "reason": "no"}
    stored = {**row, "data": json.dumps(ORDER), "received_at": datetime(2026, 3, 1, tzinfo=UTC)}
    await box.database.ready()
    await box.database.write(lambda connection: connection.execute(insert(TABLE).values(stored)))

    letter = await box.only()
    assert (json.loads(letter.data or ""), letter.attempts) == (ORDER, 1)

    await box.letters.resend(letter.id)

    sent = read_event(box.broker.published[0][1])
    assert (sent.id, sent.content, sent.flaw) == ("e-0", ORDER, None)
