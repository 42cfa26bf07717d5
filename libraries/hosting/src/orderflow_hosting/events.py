"""CloudEvents: writing messages for the broker, and reading them."""

import json
from typing import Any

from cloudevents.conversion import to_json
from cloudevents.http import CloudEvent
from dapr.ext.grpc import SubscriptionMessage
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


def read_event(message: SubscriptionMessage) -> CloudEvent:
    """Read a delivered event; data that is not JSON, or nested too deep, stays text."""
    untyped: Any = message
    attributes = {
        "id": untyped.id(),
        "type": untyped.type() or "com.dapr.event.sent",
        "source": untyped.source() or "unknown",
        "datacontenttype": untyped.data_content_type() or "application/octet-stream",
    }
    return CloudEvent(attributes, _data(message))


def _data(message: Any) -> Any:  # JSON may be anything; the SDK has no types
    data = message.data()
    if data is not None:
        return data
    raw = message.raw_data() or b""
    try:
        return json.loads(raw)
    except (ValueError, RecursionError):
        return raw.decode("utf-8", errors="replace")
