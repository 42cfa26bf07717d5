"""What publishers and clients might send, generated; `EVENTS` and `REQUESTS` are the strategies.

Everything has `MARK` in it, which `Sent.marked` replaces, so that what it becomes can be found.
"""

import base64
import gzip
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final

from hypothesis import strategies as st

from fakes.odd_json import VALUES, odd
from orderflow_contracts import names

MARK: Final = "the-marker"
ORDERS_OVER_HTTP: Final = "POST /orders"
_BASE64: Final = re.compile(rb"@base64:([0-9a-f]*)@")
_JSON: Final = "application/json"
_STRUCTURED: Final = "application/cloudevents+json"

_LINES: Final = [{"item": "paperclip", "quantity": 1}]
_ORDER: Final = {"order_id": MARK, "customer_id": MARK, "lines": _LINES}
_REQUEST: Final = {**_ORDER, "total_cents": 60_000_00, "expires_at": "2100-01-01T00:00:00Z"}
VALID: Final[dict[str, dict[str, Any]]] = {
    names.ORDERS_SUBMITTED: _ORDER,
    names.ORDERS_BATCH_SUBMITTED: {
        "batch_id": MARK,
        "orders": [{**_ORDER, "order_id": f"{MARK}-1"}],
    },
    names.TASKS_COMPLETED: {"task_id": MARK, "completed_at": "2026-03-01T12:30:00Z"},
    names.APPROVALS_REQUESTED: _REQUEST,
    names.APPROVALS_DECISIONS: {"order_id": MARK, "approved": True, "approver": "ada"},
    names.APPROVALS_WITHDRAWN: {"order_id": MARK, "reason": "cancelled_on_request"},
}
"""Valid data of each topic."""
_IDS: Final = ("order_id", "batch_id", "task_id")


@dataclass(frozen=True)
class Sent:
    """An event for a topic, or a request to place an order: its `door` is one or the other.

    `metadata` is for the sidecar.
    """

    door: str
    body: bytes
    content_type: str | None
    metadata: tuple[tuple[str, str], ...] = ()
    headers: tuple[tuple[str, str], ...] = ()

    def marked(self, marker: str) -> "Sent":
        """Return it as it is sent, with this marker."""
        return replace(
            self,
            body=_BASE64.sub(
                lambda found: base64.b64encode(_mark(bytes.fromhex(found[1].decode()), marker)),
                _mark(self.body, marker),
            ),
            metadata=tuple((name, value.replace(MARK, marker)) for name, value in self.metadata),
        )

    @property
    def is_raw(self) -> bool:
        """Whether the publisher's sidecar wraps nothing."""
        return ("rawPayload", "true") in self.metadata


def _mark(data: bytes, marker: str) -> bytes:
    return data.replace(MARK.encode(), marker.encode())


def _in_base64(data: bytes) -> str:
    """Return a text that stands for the data in base64, which is encoded once it is marked."""
    return f"@base64:{data.hex()}@"


def _dump(value: object, *, ascii_only: bool = True) -> bytes:
    return json.dumps(value, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")


def _message(topic: str) -> st.SearchStrategy[Any]:
    """Generate data for a topic; every id that could be valid has the mark."""

    def find(data: Any) -> Any:
        if not isinstance(data, dict):
            return [MARK, data]
        ids = {
            name: data[name] + MARK
            for name in _IDS
            if isinstance(data.get(name), str) and MARK not in data[name]
        }
        return {**data, **ids, "note": MARK}

    return st.just(VALID[topic]) | odd(VALID[topic]).map(find)


TOKENS: Final = st.sampled_from(
    [
        *("1e400", "-1e400", "9" * 400, "9" * 5000, "1e-400", "-0", "1E+2", "1.0", "01", "+1"),
        *("NaN", "Infinity", "-Infinity", "nul", "True", "undefined", "", "{", "]", ",", '"'),
        *(r'"\ud800"', r'"\udc00\ud800"', r'"\u0000"', r'"\x"', '"\x00"', '"\t"', '"\u2028<>&"'),
        *("[" * 60 + "]" * 60, "[" * 1000 + "]" * 1000, "[" * 20_000, '{"a":' * 700 + "1"),
        *('{"k":1,"k":2}', "1,", '1,"x":2', "1 /* a */", f'"{"<" * 5000}"', str(2**64), "'a'"),
    ]
)
"""Texts in the place of a value, some of which are JSON."""


def _with_token(data: Any, token: str) -> bytes:
    """Add a member whose value is this text."""
    if not isinstance(data, dict):
        return _dump(data)
    return _dump(data)[:-1] + b', "x": ' + token.encode() + b"}"


_DAMAGE: Final[dict[str, Callable[[bytes], bytes]]] = {
    "none": lambda text: text,
    "byte order mark": lambda text: b"\xef\xbb\xbf" + text,
    "NUL": lambda text: text + b"\0",
    "space": lambda text: b" \t\r\n" + text + b"\n",
    "form feed": lambda text: b"\x0c" + text,
    "truncated": lambda text: text[:-2] + MARK.encode(),
    "twice": lambda text: text + text,
    "UTF-16": lambda text: text.decode("utf-8", "replace").encode("utf-16") + MARK.encode(),
    "invalid UTF-8": lambda text: text.replace(b'"', b'"\xff\xc0\xaf\xed\xa0\x80', 1),
    "Latin-1": lambda text: text[:-1] + ', "x": "é"}'.encode("latin-1"),
    "compressed": lambda text: gzip.compress(text, mtime=0) + MARK.encode(),
}


def _json_texts(topic: str) -> st.SearchStrategy[bytes]:
    plain = st.builds(_dump, _message(topic))
    unescaped = st.builds(lambda data: _dump(data, ascii_only=False), _message(topic))
    with_token = st.builds(_with_token, _message(topic), TOKENS)
    damage = st.sampled_from(sorted(_DAMAGE)).map(_DAMAGE.__getitem__)
    damaged = st.builds(lambda spoil, text: spoil(text), damage, plain | with_token)
    return plain | unescaped | with_token | damaged


def _binary() -> st.SearchStrategy[bytes]:
    return st.binary(max_size=200).map(lambda data: data + MARK.encode())


_IDS_OF_EVENTS: Final = st.one_of(
    st.just(MARK),
    st.text(max_size=8).map(lambda text: MARK + text),
    st.sampled_from([f"{MARK}{'i' * 400}", f"{MARK} /../", f"{MARK}\0", "", "stream", f"{MARK}.1"]),
    VALUES,
)
_TIMES: Final = st.sampled_from(
    ["2020-01-01T00:00:00Z", "2100-01-01T00:00:00.123456789+14:00", "soon", 7, None]
)
_CONTENT_TYPES: Final = st.sampled_from(
    [
        *(_JSON, _JSON, f"{_JSON}; charset=utf-8", f"{_JSON};;", "APPLICATION/JSON", "text/json"),
        *("application/x-www-form-urlencoded", "application/vnd.shop.order+json", "text/plain"),
        *("application/octet-stream", "application/xml", "text/plain; charset=utf-16", "", "odd"),
        *("multipart/form-data; boundary=x", "application/cloudevents-batch+json", "*/*"),
    ]
)
ATTRIBUTES: Final = st.fixed_dictionaries(
    {},
    optional={
        "specversion": st.sampled_from(["1.0", "1.0", "1.0", "0.3", 1, None]),
        "id": _IDS_OF_EVENTS,
        "source": st.sampled_from(["/shop", "/shop", "", "https://é/", 7, "s" * 3000]),
        "type": st.sampled_from(["order", "order", "", None, "t" * 3000]),
        "subject": VALUES,
        "datacontenttype": _CONTENT_TYPES | VALUES,
        "dataschema": VALUES,
        "time": _TIMES,
        "expiration": _TIMES,
        "traceparent": VALUES,
        "tracestate": VALUES,
        "topic": VALUES,
        "pubsubname": VALUES,
        "shopid": VALUES,
    },
)


def _envelopes(topic: str) -> st.SearchStrategy[bytes]:
    """Generate structured CloudEvents: most of them valid but for one or two attributes."""
    valid = {"specversion": "1.0", "id": MARK, "source": "/shop", "type": "order", "mark": MARK}
    members = ATTRIBUTES.map(lambda odd_ones: {**valid, **odd_ones})

    def with_data(attributes: dict[str, Any], data: bytes) -> bytes:
        return _dump(attributes)[:-1] + b', "data": ' + data + b"}"

    def with_text(attributes: dict[str, Any], data: bytes) -> bytes:
        return with_data(attributes, _dump(data.decode("utf-8", "replace")))

    def with_base64(attributes: dict[str, Any], data: bytes) -> bytes:
        return _dump({**attributes, "data_base64": _in_base64(data)})

    texts = _json_texts(topic)
    return st.one_of(
        st.builds(with_data, members, texts),
        st.builds(with_text, members, texts),
        st.builds(with_base64, members, texts | _binary()),
        st.builds(
            lambda attributes, broken: _dump({**attributes, "data_base64": broken}), members, VALUES
        ),
        st.builds(_dump, members),
        st.builds(lambda spoil, text: spoil(text), st.sampled_from(list(_DAMAGE.values())),
                  st.builds(with_data, members, texts)),
    )  # fmt: skip


_PRINTABLE: Final = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=8)
_ODD_NAMES: Final = st.sampled_from(
    [
        *("grpc-timeout", "grpc-previous-rpc-attempts", "Lb-Cost-Bin", "trace-bin", ":authority"),
        *(
            "connection",
            "host",
            "te",
            "tracestate",
            "traceparent",
            "content-length",
            "a b",
            "",
            "é",
        ),
    ]
)
_METADATA: Final = st.fixed_dictionaries(
    {},
    optional={
        "rawPayload": st.sampled_from(["true", "true", "false", "1", "maybe"]),
        "ttlInSeconds": st.sampled_from(["1", "60", "0", "-1", "9223372036854775807", "soon"]),
        "cloudevent.id": st.sampled_from([MARK, f"{MARK} /../", "", "i" * 400]),
        "cloudevent.source": st.sampled_from(["/shop", "", "~"]),
        "cloudevent.type": st.sampled_from(["order", ""]),
        "cloudevent.datacontenttype": _CONTENT_TYPES,
        "cloudevent.subject": _PRINTABLE,
        "partitionKey": _PRINTABLE | st.text(max_size=8),
        "dapr-api-token": _PRINTABLE,
        "dapr-caller-app-id": st.just("orders"),
    },
).map(lambda metadata: tuple(metadata.items()))
_ODD_METADATA: Final = st.lists(st.tuples(_ODD_NAMES, st.text(max_size=8)), max_size=2).map(tuple)
_ALL_METADATA: Final = st.one_of(
    *(_METADATA, _METADATA, _METADATA),
    st.builds(lambda one, more: one + more, _METADATA, _ODD_METADATA),
)
_NO_METADATA: Final = st.just(())
_BODIES_WITHOUT: Final = st.sampled_from([b"", b" ", b"null", b"0", b'""', b"[]", b"{}"])


def _events(topic: str) -> st.SearchStrategy[Sent]:
    metadata = _NO_METADATA | _ALL_METADATA
    door = st.just(topic)
    bodies = _json_texts(topic) | _binary()
    named = st.just((("cloudevent.id", MARK),))
    return st.one_of(
        st.builds(Sent, door, st.just(_dump(VALID[topic])), _CONTENT_TYPES, metadata),
        st.builds(Sent, door, bodies, _CONTENT_TYPES, metadata),
        st.builds(Sent, door, _envelopes(topic), st.just(_STRUCTURED), _NO_METADATA | metadata),
        st.builds(Sent, door, _envelopes(topic), _CONTENT_TYPES, metadata),
        st.builds(Sent, door, _BODIES_WITHOUT, _CONTENT_TYPES, named),
    )


EVENTS: Final = st.one_of(*(_events(topic) for topic in VALID))
REQUESTS: Final = st.builds(
    Sent,
    st.just(ORDERS_OVER_HTTP),
    _json_texts(names.ORDERS_SUBMITTED) | _binary() | _BODIES_WITHOUT,
    _CONTENT_TYPES,
    headers=st.fixed_dictionaries(
        {},
        optional={
            "idempotency-key": st.sampled_from(['"k"', "k", "", '"', "k" * 300, 'a"b']),
            "content-encoding": st.sampled_from(["gzip", "identity", "odd"]),
            "accept": st.sampled_from(["text/html", "*/*", "", "odd"]),
        },
    ).map(lambda headers: tuple(headers.items())),
)
