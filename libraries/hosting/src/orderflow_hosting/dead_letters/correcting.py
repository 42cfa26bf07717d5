"""Writes the corrected event of a dead letter."""

import json
import uuid
from typing import Any

from orderflow_contracts.names import event_type
from orderflow_hosting.events import Event, read_event


def corrected_event(event: Event, topic: str, corrected: object) -> Event:
    """Return a corrected event, with an id of its own and a link to the one it corrects.

    `corrected` is a CloudEvent, or the data of one.
    """
    is_envelope = isinstance(corrected, dict) and "specversion" in corrected
    given: dict[str, Any] = dict(corrected) if is_envelope else {"data": corrected}  # type: ignore[call-overload]
    defaults = {
        "specversion": "1.0",
        "type": event.type or event_type(topic),
        "source": "/orderflow/dead-letters",
        "datacontenttype": "application/json",
    }
    own = {"id": str(uuid.uuid4()), "correctsid": event.key}
    if event.source is not None:
        own["correctssource"] = event.source
    return read_event(json.dumps({**defaults, **given, **own}).encode())
