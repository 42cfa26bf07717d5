"""The table of dead letters, and how events become values of its columns."""

import base64
import json
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import (
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from orderflow_contracts.dead_letters import DeadLetter, DeadLetterWithData
from orderflow_hosting.database import Utc
from orderflow_hosting.events import Event, read_event

EVENT_ID_LENGTH: Final = 300
_SHOWN_CHARACTERS: Final = 10_000
_SHOWN_OF_SOURCE: Final = 300
"""How much of a source is listed, in characters; the event itself has all of it."""


def dead_letter_table(tables: MetaData, subject: str) -> Table:
    """Add the table of dead letters to a service's own; `subject` names one of its columns.

    `event` has the bytes of the event as it lay in the broker. Letters from before there was this
    column have only `data`, a JSON text; for later ones it is the beginning of the data, for
    replicas of that version and for previews. `resent_event` has the bytes of a correction.
    """
    return Table(
        "dead_letters",
        tables,
        Column("id", Integer, primary_key=True),
        Column("topic", String(200), nullable=False),
        Column("event_id", String(EVENT_ID_LENGTH), nullable=False),
        Column("digest", String(64), nullable=False),
        Column(subject, String(64), key="subject"),
        Column("reason", Text, nullable=False),
        Column("data", Text, nullable=False),
        Column("received_at", Utc, nullable=False),
        Column("resent_at", Utc),
        Column("event", LargeBinary),
        Column("source", Text),
        Column("attempts", Integer),
        Column("resent_as", String(EVENT_ID_LENGTH)),
        Column("discarded_at", Utc),
        Column("discard_reason", Text),
        Column("resent_event", LargeBinary),
        UniqueConstraint("topic", "event_id", "digest"),
        Index("dead_letters_by_resent", "resent_at", "id"),
    )


def identity(topic: str, event: Event) -> dict[str, str]:
    """Return what makes two deliveries of one event the same, by column."""
    return {
        "topic": topic,
        "event_id": storable(event.key)[:EVENT_ID_LENGTH],
        "digest": event.digest,
    }


def content_columns(event: Event) -> dict[str, Any]:
    """Return what is stored of an event besides its identity, by column."""
    shown = event.data[:_SHOWN_CHARACTERS].decode("utf-8", "replace")
    return {
        "event": event.raw,
        "source": None if event.source is None else storable(event.source)[:_SHOWN_OF_SOURCE],
        "data": json.dumps(storable(shown)),
    }


def storable(text: str) -> str:
    """Remove NUL and escape lone surrogates, which databases would refuse."""
    return text.replace("\0", "").encode("utf-8", "backslashreplace").decode()


def event_of(row: Any) -> Event:
    """Return the event of a row."""
    if row.event is not None:
        return read_event(row.event)
    envelope = {
        "specversion": "1.0",
        "id": row.event_id,
        "type": "com.orderflow.dead-letter.resent.v1",
        "source": "/orderflow/dead-letters",
        "datacontenttype": "application/json",
        "data": json.loads(row.data),
    }
    return read_event(json.dumps(envelope).encode())


@dataclass(frozen=True)
class Preview:
    """A dead letter with the beginning of its payload, and the size of its event in bytes."""

    letter: DeadLetter
    beginning: str
    size: int


def preview_of(row: Any) -> Preview:
    """Return the preview of a row without its event, but with the event's `size`."""
    if row.size is None:  # from before there was a column with the event
        return Preview(letter_of(row), row.data[:_SHOWN_CHARACTERS], len(row.data.encode()))
    return Preview(letter_of(row), json.loads(row.data), row.size)


def letter_of(row: Any) -> DeadLetter:
    """Return a row as it is listed."""
    return DeadLetter.model_validate(_shown(row))


def letter_with_data_of(row: Any) -> DeadLetterWithData:
    """Return a row with its whole payload."""
    event = event_of(row)
    return DeadLetterWithData(
        **_shown(row),
        data=_text_of(event.data),
        data_base64=base64.b64encode(event.data).decode(),
        attributes=dict(event.attributes),
    )


def _text_of(data: bytes) -> str | None:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return None


def _shown(row: Any) -> dict[str, Any]:
    return {
        "id": row.id,
        "topic": row.topic,
        "event_id": row.event_id,
        "source": row.source,
        "subject": row.subject,
        "reason": row.reason,
        "attempts": row.attempts or 1,
        "received_at": row.received_at,
        "resent_at": row.resent_at,
        "resent_as": row.resent_as,
        "discarded_at": row.discarded_at,
        "discard_reason": row.discard_reason,
    }
