"""Reading events as they lie in the broker."""

import base64
import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from fakes.generated_events import EVENTS, REQUESTS, Sent
from fakes.odd_json import VALUES
from orderflow_hosting.events import MOST_BYTES, Event, NotJson, read_event, read_json
from orderflow_hosting.events.envelope import MOST_BYTES_IN_BROKER

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
ORDER = {"order_id": "o-1"}
ATTRIBUTES = {"specversion": "1.0", "id": "e-1", "source": "/shop", "type": "order"}


def envelope(**members: Any) -> bytes:
    return json.dumps({**ATTRIBUTES, **members}).encode()


def read(**members: Any) -> Event:
    return read_event(envelope(**members), at=NOON)


def test_all_attributes_are_read() -> None:
    """A CloudEvent says what it is; attributes that are not known are kept with the others."""
    event = read(
        subject="o-1",
        datacontenttype="application/json",
        time="2026-03-01T13:00:00+02:00",
        traceparent="00-1-2-01",
        tracestate="a=b",
        shopid=7,
        data=ORDER,
    )

    assert (event.id, event.source, event.type, event.subject) == ("e-1", "/shop", "order", "o-1")
    assert (event.content_type, event.content) == ("application/json", ORDER)
    assert event.time == datetime(2026, 3, 1, 11, 0, tzinfo=UTC)
    assert (event.traceparent, event.tracestate) == ("00-1-2-01", "a=b")
    assert event.attributes["shopid"] == 7
    assert "data" not in event.attributes
    assert event.flaw is None


@pytest.mark.parametrize(
    ("time", "read_as"),
    [
        ("2026-03-01T12:00:00Z", NOON),
        ("2026-03-01T12:00:00.123456Z", NOON + timedelta(microseconds=123456)),
        ("2026-03-01T12:00:00.123456789Z", NOON + timedelta(microseconds=123456)),
        ("2026-03-01t12:00:00z", NOON),
        ("2026-03-01T00:30:00-11:30", NOON),
        ("yesterday", None),
        (1772366400, None),
        (None, None),
    ],
)
def test_times_are_read_as_the_specification_writes_them(
    time: object, read_as: datetime | None
) -> None:
    """RFC 3339 with any offset; another text says nothing, and is no reason to refuse an event."""
    event = read(time=time, data=ORDER)

    assert (event.time, event.flaw) == (read_as, None)


@pytest.mark.parametrize(
    "members",
    [
        {"data": ORDER},
        {"data": ORDER, "datacontenttype": "application/json; charset=utf-8"},
        {"data": ORDER, "datacontenttype": "application/vnd.shop.order+json"},
        {"data": ORDER, "datacontenttype": "text/plain"},
        {"data": json.dumps(ORDER), "datacontenttype": "application/vnd.shop.order+json"},
        {"data": json.dumps(ORDER), "datacontenttype": "application/x-www-form-urlencoded"},
        {"data": json.dumps(ORDER), "datacontenttype": "text/plain"},
        {"data_base64": base64.b64encode(json.dumps(ORDER).encode()).decode()},
        {
            "data_base64": base64.b64encode(json.dumps(ORDER).encode()).decode(),
            "datacontenttype": "application/octet-stream",
        },
    ],
)
def test_json_is_read_whatever_it_is_called(members: dict[str, Any]) -> None:
    """What is JSON is accepted under every content type, in every form of data."""
    event = read(**members)

    assert (event.content, event.flaw) == (ORDER, None)
    assert json.loads(event.data) == ORDER


@pytest.mark.parametrize("data", [None, "text", 17, [1], True])
def test_json_data_may_be_of_any_type(data: object) -> None:
    """A JSON text is data as well, which a topic may refuse."""
    event = read(data=data, datacontenttype="application/json")

    assert (event.content, event.flaw) == (data, None)


def test_bare_data_has_no_envelope() -> None:
    """What was published as a raw payload is data as a whole."""
    event = read_event(json.dumps(ORDER).encode())

    assert (event.content, event.data, event.id) == (ORDER, json.dumps(ORDER).encode(), None)
    assert event.key == read_event(json.dumps(ORDER).encode()).key
    assert event.key != read_event(b"{}").key


@pytest.mark.parametrize(
    ("raw", "flaw"),
    [
        (envelope(specversion="0.3"), "specversion: must be '1.0'"),
        (envelope(specversion=1), "specversion: must be '1.0'"),
        (envelope(id=""), "id: must be a text that is not empty"),
        (envelope(id=7), "id: must be a text that is not empty"),
        (envelope(source=None), "source: must be a text that is not empty"),
        (envelope(data=ORDER, data_base64="e30="), "data_base64: must not stand beside data"),
        (envelope(data_base64="%%%"), "data_base64: is not base64"),
        (envelope(data_base64={"a": 1}), "data_base64: is not base64"),
        (envelope(data_base64="/w=="), "data: not UTF-8 (byte 0)"),
        (
            envelope(data="{", datacontenttype="text/plain"),
            "data: not JSON: Expecting property name enclosed in double quotes (character 1)",
        ),
        (
            envelope(data=ORDER, expiration="2026-03-01T11:59:59Z"),
            "expired at 2026-03-01 11:59:59 UTC",
        ),
        (
            b'{"specversion":"1.0","id":"e","source":"s","type":"t","data":{"x":1e400}}',
            "data.x: the number is beyond the range of a double",
        ),
        (b"", "not JSON: Expecting value (character 0)"),
        (b"\xff", "not UTF-8 (byte 0)"),
    ],
)
def test_a_flaw_is_named_and_no_byte_is_lost(raw: bytes, flaw: str) -> None:
    """What cannot be handled says why, and is kept as it was."""
    event = read_event(raw, at=NOON)

    assert (event.flaw, event.raw) == (flaw, raw)


def test_a_flawed_event_says_what_it_is_about() -> None:
    """The rest of the data is read, so that its order can be rejected by name."""
    raw = (
        b'{"specversion":"1.0","id":"e","source":"s","type":"t","data":{"x":1e400,"order_id":"o"}}'
    )

    event = read_event(raw)

    assert event.content == {"x": None, "order_id": "o"}
    assert event.data == b'{"x":1e400,"order_id":"o"}'


def test_an_event_that_has_not_expired_is_read() -> None:
    """An expiration in the future, or one that cannot be read, is no reason to refuse it."""
    assert read(expiration="2026-03-01T12:00:01Z", data=ORDER).flaw is None
    assert read(expiration="soon", data=ORDER).flaw is None


@pytest.mark.parametrize(
    ("size", "flaws"),
    [(MOST_BYTES, 0), (MOST_BYTES + 1, 1), (MOST_BYTES * 6 // 5, 1)],
)
def test_the_limit_is_that_of_the_data(size: int, flaws: int) -> None:
    """What sidecars add and escape does not count: a publisher knows what it may send."""
    data = json.dumps("<" * (size - 2))
    escaped = data.replace("<", "\\u003c").encode()

    event = read_event(envelope()[:-1] + b', "data": ' + escaped + b"}")

    assert event.data == data.encode()
    assert (event.flaw or "").count(f"{size:,} bytes are too many") == flaws


def test_what_is_far_too_large_is_not_read() -> None:
    """It is kept whole, without an attempt to understand it."""
    raw = envelope(data="x" * MOST_BYTES_IN_BROKER)

    event = read_event(raw)

    assert (event.data, event.id) == (raw, None)
    assert "bytes are too many" in (event.flaw or "")


MEMBERS = st.dictionaries(
    st.sampled_from(
        [*ATTRIBUTES, "data", "data_base64", "datacontenttype", "time", "expiration", "subject"]
    ),
    VALUES,
)


def test_data_that_is_too_deep_for_the_stack_is_all_of_the_event() -> None:
    """Where the data is asked for, the stack may be longer than where the event was read."""
    for levels in range(500, 1000):
        raw = b'{"specversion":"1.0","id":"e-1","data":' + b"[" * levels + b"]" * levels + b"}"
        event = read_event(raw)
        assert event.flaw is not None
        assert _data_far_down(event, 40) in (raw, b"[" * levels + b"]" * levels)


def _data_far_down(event: Event, levels: int) -> bytes:
    return event.data if levels == 0 else _data_far_down(event, levels - 1)


@given(st.binary() | MEMBERS.map(lambda odd: json.dumps({**ATTRIBUTES, **odd}).encode()))
def test_reading_never_fails(raw: bytes) -> None:
    """Whatever arrives, it is read or has a flaw; its data and its key can be stored."""
    event = read_event(raw, at=NOON)

    assert event.raw == raw
    assert isinstance(event.data, bytes)
    assert event.key
    assert event.flaw is None or event.flaw


@given(EVENTS)
def test_no_generated_event_is_lost(sent: Sent) -> None:
    """Whatever a publisher sends is read or has a flaw, and can be stored with all its bytes."""
    raw = sent.marked("m").body

    event = read_event(raw, at=NOON)

    assert event.raw == raw
    assert isinstance(event.data, bytes)
    assert event.key
    assert event.flaw is None or event.flaw


DATA = REQUESTS.map(lambda sent: sent.marked("m").body) | st.binary()


@given(DATA)
def test_bare_data_is_all_of_the_event(data: bytes) -> None:
    """Nothing is cut off, whether it can be read or not."""
    assert read_event(data).data == data


@given(DATA)
def test_data_in_base64_is_what_was_encoded(data: bytes) -> None:
    """Nothing is lost if it is no JSON either: then the event has a flaw."""
    event = read_event(envelope(data_base64=base64.b64encode(data).decode()))

    assert event.data == data
    assert (event.flaw is None) == is_strict(data)


@given(DATA.map(lambda data: data.decode("utf-8", "replace")))
def test_data_that_is_a_text_is_what_was_written(text: str) -> None:
    """Sidecars write data of other content types so, and escape some characters."""
    escaped = json.dumps(text, ensure_ascii=False).replace("<", "\\u003c").encode()
    attributes = envelope(datacontenttype="application/x-www-form-urlencoded")[:-1]

    event = read_event(attributes + b', "data": ' + escaped + b"}")

    assert event.data == text.encode()
    assert (event.flaw is None) == is_strict(text.encode())


@given(DATA)
def test_data_that_is_json_is_what_was_written(data: bytes) -> None:
    """It keeps its numbers, escapes and spaces; an event that is not JSON is kept as a whole."""
    data = data.strip(b" \t\r\n")
    assume(not re.search(rb"\\u(003[ce]|0026|202[89])", data))
    raw = envelope()[:-1] + b', "data": ' + data.replace(b"<", b"\\u003c") + b"}"

    event = read_event(raw)

    if is_strict(data):
        assert (event.data, event.flaw) == (data, None)
    else:
        assert event.flaw
        assert event.data in (data, raw)


def is_strict(data: bytes) -> bool:
    try:
        read_json(data)
    except NotJson:
        return False
    return True
