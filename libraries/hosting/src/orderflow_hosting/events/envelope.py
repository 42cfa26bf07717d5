"""Reads the bytes of an event as they lie in the broker.

Events arrive in three forms: as a CloudEvent that the publisher wrote, as data that the publisher's
sidecar wrapped into one, and bare if they were published with `rawPayload`. The sidecar that
delivers an event would read it too, and would lose what it cannot read, or try for ever to deliver
it. So subscriptions ask for the bytes.
"""

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError

from orderflow_contracts.fields import Moment
from orderflow_hosting.events.json_text import MOST_NESTED, NotJson, member_text, read_json

MOST_BYTES: Final = 1_000_000
"""The size of an event's data, in bytes, beyond which it is refused."""
MOST_BYTES_IN_BROKER: Final = 8 * MOST_BYTES
"""The size of a whole event beyond which it is not read. Sidecars write one byte as up to six."""

_MOMENT: Final[TypeAdapter[datetime]] = TypeAdapter(Moment)
_SPEC_VERSION: Final = "1.0"
_JSON: Final = "application/json"
_DATA: Final = ("data", "data_base64")
_TEXTS: Final = ("id", "source", "type")
_OF_A_PUBLICATION: Final = {"time", "expiration", "traceid", "traceparent", "tracestate"}
"""Attributes to which a sidecar gives new values each time the same event is published."""


@dataclass(frozen=True, kw_only=True)
class Event:
    """An event, as far as it could be read.

    `raw` holds the bytes that were delivered, and `content` the JSON value in the data. `flaw` says
    why the event cannot be handled; `content` is then what could be read, or None. Bare data has no
    envelope, hence no id, source and so on; an envelope may lack them, too. `attributes` are all of
    the envelope but the data; `is_whole` says whether they and the data could be read completely.
    """

    raw: bytes
    content: Any = None
    unwrapped: bytes | None = None
    id: str | None = None
    source: str | None = None
    type: str | None = None
    subject: str | None = None
    content_type: str | None = None
    time: datetime | None = None
    expiration: datetime | None = None
    traceparent: str | None = None
    tracestate: str | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict)
    flaw: str | None = None
    is_whole: bool = True

    @cached_property
    def data(self) -> bytes:
        """The bytes that the publisher sent as data, as far as they are known."""
        if self.unwrapped is not None:
            return self.unwrapped
        try:
            return member_text(self.raw, "data")
        except RecursionError:  # nested so deeply that only a shorter stack could read it
            return self.raw

    @cached_property
    def key(self) -> str:
        """The id or, without one, a digest of the bytes: the same at each delivery."""
        return self.id or f"sha256:{hashlib.sha256(self.raw).hexdigest()}"

    @cached_property
    def digest(self) -> str:
        """A digest of what the publisher sent: the same at each delivery and publication.

        Of an event that cannot be read completely it is one of the bytes.
        """
        if not self.is_whole:
            return hashlib.sha256(self.raw).hexdigest()
        names = sorted(self.attributes.keys() - _OF_A_PUBLICATION)
        attributes = json.dumps([(name, self.attributes[name]) for name in names])
        return hashlib.sha256(attributes.encode() + self.data).hexdigest()


def read_event(raw: bytes, *, at: datetime | None = None) -> Event:
    """Read an event; never raises. `at` is the time by which it must not have expired, if any."""
    if len(raw) > MOST_BYTES_IN_BROKER:
        return Event(raw=raw, unwrapped=raw, flaw=_too_large(len(raw)), is_whole=False)
    try:
        # The envelope is one level more than the data may have.
        value, flaw, is_whole = read_json(raw, most_nested=MOST_NESTED + 1), None, True
    except NotJson as error:
        value, flaw, is_whole = error.rest, str(error), False
    if isinstance(value, dict) and "specversion" in value:
        event = _read_envelope(raw, value)
    else:
        event = Event(raw=raw, unwrapped=raw, content=value)
    if len(raw) > MOST_BYTES and (size := len(event.data)) > MOST_BYTES:
        flaw = _too_large(size)
    if at is not None and event.expiration is not None and event.expiration <= at:
        flaw = f"expired at {event.expiration:%Y-%m-%d %H:%M:%S} UTC"
    return event if flaw is None else replace(event, flaw=flaw, is_whole=is_whole)


def _read_envelope(raw: bytes, envelope: dict[str, Any]) -> Event:
    content_type = _text(envelope, "datacontenttype")
    unwrapped, content, flaw = _read_data(raw, envelope, content_type)
    return Event(
        raw=raw,
        content=content,
        unwrapped=unwrapped,
        id=_text(envelope, "id"),
        source=_text(envelope, "source"),
        type=_text(envelope, "type"),
        subject=_text(envelope, "subject"),
        content_type=content_type,
        time=_moment(envelope.get("time")),
        expiration=_moment(envelope.get("expiration")),
        traceparent=_text(envelope, "traceparent"),
        tracestate=_text(envelope, "tracestate"),
        attributes={name: envelope[name] for name in envelope if name not in _DATA},
        flaw=_flaw_of_envelope(envelope) or flaw,
    )


def _flaw_of_envelope(envelope: dict[str, Any]) -> str | None:
    if envelope["specversion"] != _SPEC_VERSION:
        return f"specversion: must be {_SPEC_VERSION!r}"
    for name in _TEXTS:
        if name in envelope and _text(envelope, name) is None:
            return f"{name}: must be a text that is not empty"
    if "data" in envelope and "data_base64" in envelope:
        return "data_base64: must not stand beside data"
    return None


def _read_data(
    raw: bytes, envelope: dict[str, Any], content_type: str | None
) -> tuple[bytes | None, Any, str | None]:
    """Return the data's bytes unless they stand in the envelope, its value, and its flaw.

    Sidecars write data of every other content type as a text, even if it is JSON.
    """
    if "data_base64" in envelope:
        try:
            data = base64.b64decode(envelope["data_base64"], validate=True)
        except (TypeError, ValueError):
            return raw, None, "data_base64: is not base64"
        return data, *_read_text(data)
    value = envelope.get("data")
    if isinstance(value, str) and not (content_type or _JSON).startswith(_JSON):
        return value.encode(), *_read_text(value)
    return None, value, None


def _read_text(text: str | bytes) -> tuple[Any, str | None]:
    """Read JSON that its publisher sent under another content type, as curl does by default."""
    try:
        return read_json(text), None
    except NotJson as error:
        return error.rest, f"data: {error}"


def _text(envelope: dict[str, Any], name: str) -> str | None:
    value = envelope.get(name)
    return value if isinstance(value, str) and value else None


def _moment(value: object) -> datetime | None:
    try:
        return _MOMENT.validate_python(value)
    except ValidationError:
        return None


def _too_large(size: int) -> str:
    return f"{size:,} bytes are too many: an event's data may have {MOST_BYTES:,}"
