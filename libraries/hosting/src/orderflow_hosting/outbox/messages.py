"""Messages for the outbox: events, written as they are to be published."""

import hashlib
from dataclasses import dataclass
from typing import Final

from pydantic import BaseModel

from orderflow_hosting.events import Event, write_event

LONGEST_KEY: Final = 200


@dataclass(frozen=True)
class Message:
    """An event to be published. Messages with the same key are published one after the other."""

    key: str
    topic: str
    event: bytes


def message(
    topic: str, data: BaseModel, *, app_id: str, subject: str, event_id: str | None = None
) -> Message:
    """Write a message as a CloudEvent about `subject`, which is its key."""
    event = write_event(topic, data, app_id=app_id, subject=subject, event_id=event_id)
    return Message(_key(subject), topic, event)


def unchanged(topic: str, event: Event) -> Message:
    """Return the message that publishes an event as it is."""
    return Message(_key(event.subject or event.key), topic, event.raw)


def _key(text: str) -> str:
    """Return the text, or a digest unless it is plain: it is sent in a header."""
    is_plain = text.isascii() and text.isprintable() and len(text) <= LONGEST_KEY
    return text if is_plain else hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()
