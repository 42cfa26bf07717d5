"""Writes messages as CloudEvents."""

from cloudevents.conversion import to_json
from cloudevents.http import CloudEvent
from pydantic import BaseModel

from orderflow_contracts.names import event_source, event_type

STRUCTURED = "application/cloudevents+json"


def write_event(
    topic: str, data: BaseModel, *, app_id: str, subject: str, event_id: str | None = None
) -> bytes:
    """Write a structured CloudEvent; with an id, consumers can recognise a second delivery."""
    attributes = {
        "type": event_type(topic),
        "source": event_source(app_id),
        "subject": subject,
        "datacontenttype": "application/json",
    }
    if event_id is not None:
        attributes["id"] = event_id
    return to_json(CloudEvent(attributes, data.model_dump(mode="json", exclude_none=True)))
