"""The envelope of events: its schema, and examples in it."""

from collections.abc import Mapping
from typing import Any, Final

from orderflow_contracts.names import event_source
from orderflow_contracts.topics import Form, Topic, example

CLOUD_EVENT: Final = "application/cloudevents+json"
"""The content type of an event in its envelope."""

_OUTSIDE: Final = "/shop"
"""The source of the examples that other programs publish."""

ENVELOPE: Final[Mapping[str, Any]] = {
    "title": "CloudEvent",
    "description": "The envelope of every event. Extension attributes are allowed.",
    "type": "object",
    "required": ["specversion", "id", "source", "type"],
    "properties": {
        "specversion": {"type": "string", "const": "1.0"},
        "id": {
            "description": "With the source, identifies the event: a repeated delivery has the "
            "same.",
            "type": "string",
            "minLength": 1,
        },
        "source": {"type": "string", "format": "uri-reference", "minLength": 1},
        "type": {"type": "string", "minLength": 1},
        "subject": {
            "description": "The ID of the event's order, batch, task or item",
            "type": "string",
        },
        "time": {"type": "string", "format": "date-time"},
        "datacontenttype": {"type": "string", "examples": ["application/json"]},
    },
}


def example_event(topic: Topic, form: Form, name: str) -> dict[str, Any]:
    """Return an example as it is published: in its envelope, and without empty fields."""
    data = {key: value for key, value in example(name).items() if value is not None}
    subject = str(data[topic.subject])
    variant = name.removeprefix(topic.name).replace("-", ".", 1)
    by_default = f"{subject}.{topic.name.partition('.')[2]}{variant}"
    return {
        "specversion": "1.0",
        "id": getattr(form.message.model_validate(data), "event_id", by_default),
        "source": event_source(topic.publishers[0]) if topic.publishers else _OUTSIDE,
        "type": topic.event_type,
        "subject": subject,
        "time": "2026-03-01T12:30:15Z",
        "datacontenttype": "application/json",
        "data": data,
    }
