"""CloudEvents: reading what arrives from the broker, and writing messages for it."""

from orderflow_hosting.events.envelope import MOST_BYTES, Event, read_event
from orderflow_hosting.events.json_text import NotJson, read_json
from orderflow_hosting.events.writing import STRUCTURED, write_event

__all__ = [
    "MOST_BYTES",
    "STRUCTURED",
    "Event",
    "NotJson",
    "read_event",
    "read_json",
    "write_event",
]
