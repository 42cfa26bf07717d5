"""The AsyncAPI document: all topics, their messages, and which service sends or receives them.

The schemas follow from the messages, and the operations from the declarations of the services. See
https://www.asyncapi.com/docs/reference/specification/v3.0.0.
"""

from collections.abc import Iterator, Mapping
from importlib.metadata import version
from typing import Any, Final

from pydantic.json_schema import models_json_schema

from orderflow_contracts.envelope import CLOUD_EVENT, ENVELOPE, example_event
from orderflow_contracts.names import PUBSUB, SERVICES, dead_letter_topic
from orderflow_contracts.topics import TOPICS, Form, Topic

SPECIFICATION: Final = "3.0.0"
UNHANDLED: Final = "UnhandledEvent"

DESCRIPTION: Final = f"""\
Events are CloudEvents 1.0 with JSON data, on the Dapr component `{PUBSUB}`. Dapr wraps data that
is published without an envelope in one. Consumers ignore unknown fields. Amounts are in US cents,
as integers; times are in RFC 3339 format."""

_UNHANDLED: Final[Mapping[str, Any]] = {
    "title": "Event that was not handled",
    "summary": "An event that its subscriber refused or could not handle",
    "description": "It has the bytes that were published, whatever they are.",
    "contentType": CLOUD_EVENT,
    "payload": {"description": "Any value, possibly not even JSON"},
}


def document() -> dict[str, Any]:
    """Build the document."""
    return {
        "asyncapi": SPECIFICATION,
        "info": {
            "title": "Orderflow",
            "version": version("orderflow-contracts"),
            "description": DESCRIPTION,
            "tags": [{"name": app_id} for app_id in SERVICES],
        },
        "defaultContentType": CLOUD_EVENT,
        "channels": {name: channel for topic in TOPICS for name, channel in _channels(topic)},
        "operations": {name: each for topic in TOPICS for name, each in _operations(topic)},
        "components": {
            "messages": {
                UNHANDLED: _UNHANDLED,
                **{
                    form.message.__name__: _message(topic, form)
                    for topic in TOPICS
                    for form in topic.forms
                },
            },
            "schemas": {"CloudEvent": ENVELOPE, **_schemas()},
        },
    }


def _channels(topic: Topic) -> Iterator[tuple[str, dict[str, Any]]]:
    messages = [form.message.__name__ for form in topic.forms]
    yield topic.name, _channel(topic.name, messages)
    if topic.subscribers:
        dead = dead_letter_topic(topic.name)
        yield dead, _channel(dead, [UNHANDLED])


def _channel(address: str, messages: list[str]) -> dict[str, Any]:
    references = {name: {"$ref": f"#/components/messages/{name}"} for name in messages}
    return {"address": address, "messages": references}


def _operations(topic: Topic) -> Iterator[tuple[str, dict[str, Any]]]:
    dead = dead_letter_topic(topic.name)
    for app_id in topic.publishers:
        yield _operation(app_id, "send", topic.name, f"{app_id} publishes on {topic.name}")
    for app_id in topic.subscribers:
        yield _operation(app_id, "receive", topic.name, f"{app_id} handles {topic.name}")
        moves = f"The sidecar of {app_id} moves here what {app_id} did not handle"
        yield _operation(app_id, "send", dead, moves)
        yield _operation(app_id, "receive", dead, f"{app_id} records its dead letters")


def _operation(app_id: str, action: str, topic: str, summary: str) -> tuple[str, dict[str, Any]]:
    return f"{app_id}.{action}.{topic}", {
        "action": action,
        "channel": {"$ref": f"#/channels/{topic}"},
        "summary": summary,
        "tags": [{"name": app_id}],
    }


def _message(topic: Topic, form: Form) -> dict[str, Any]:
    name = form.message.__name__
    summary, _, description = (form.message.__doc__ or "").partition("\n\n")
    # Services accept any type, because Dapr gives one of its own to data without an envelope.
    event_type = {"const": topic.event_type} if topic.publishers else {"type": "string"}
    return {
        "name": topic.event_type,
        "title": name,
        "summary": summary,
        **({"description": " ".join(description.split())} if description else {}),
        "contentType": CLOUD_EVENT,
        "payload": {
            "allOf": [
                {"$ref": "#/components/schemas/CloudEvent"},
                {
                    "type": "object",
                    "required": ["data"],
                    "properties": {
                        "type": event_type,
                        "data": {"$ref": f"#/components/schemas/{name}"},
                    },
                },
            ]
        },
        "examples": [
            {"name": each, "payload": example_event(topic, form, each)} for each in form.examples
        ],
    }


def _schemas() -> dict[str, Any]:
    forms = [(form.message, topic) for topic in TOPICS for form in topic.forms]
    _, generated = models_json_schema(
        [(message, "validation") for message, _ in forms],
        ref_template="#/components/schemas/{model}",
    )
    schemas: dict[str, Any] = generated["$defs"]
    for message, topic in forms:
        if topic.id_stands_for_subject:
            schemas[message.__name__]["required"].remove(topic.subject)
    return schemas
