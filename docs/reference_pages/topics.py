"""The page of topics: the events on the broker, and the methods that services invoke."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from pydantic import BaseModel, TypeAdapter

from orderflow_contracts import approvals, inventory, names
from orderflow_contracts.topics import TOPICS
from reference_pages.markdown import code, page, table
from reference_pages.schemas import Schema, fields_of, link_to, objects_of, text_of, type_of

INTRODUCTION: Final = f"""\
Events are CloudEvents 1.0 with JSON data, on the component `{names.PUBSUB}`. Dapr wraps a message
that is not a CloudEvent in one. Consumers ignore unknown fields. Amounts are in cents, as integers;
times are in RFC 3339 format. An event's subject is the ID of its order, batch, task or item.

If a service refuses an event, or stops retrying it, its sidecar moves the event to the topic
`{names.dead_letter_topic("<topic>")}`. The same service stores it there as a
[dead letter](../glossary.md#dead-letter).

A consumer is known by the app id of its sidecar or, if its component has one, by `consumerID`. A
known consumer continues where it stopped. On Redis, the broker of the local run, a new one starts
with the oldest event that the stream still has, not with the next event: give a consumer a new id
only if it can handle old events again.

Orders and approvals describe all topics at `/asyncapi`, as an
[AsyncAPI 3](https://www.asyncapi.com/docs/reference/specification/v3.0.0) document with JSON
Schemas and examples. In the local run it is at
<http://127.0.0.1:{names.LOCAL_PORTS[names.ORDERS].http}/asyncapi>.
[How messages change](../explanation/message-evolution.md) says what you can rely on."""


Model = type[BaseModel] | TypeAdapter[inventory.Reserved | inventory.ReservationRejected]


@dataclass(frozen=True)
class Method:
    """A method that one service invokes on another, and who may call it."""

    name: str
    service: str
    callers: str
    request: type[BaseModel] | None
    reply: Model | None


ANYONE: Final = "anyone"
METHODS: Final = (
    Method(
        names.RESERVE,
        names.INVENTORY,
        names.ORDERS,
        inventory.ReserveRequest,
        inventory.RESERVE_REPLY,
    ),
    Method(
        names.COMMIT, names.INVENTORY, names.ORDERS, inventory.CommitRequest, inventory.Committed
    ),
    Method(
        names.RELEASE, names.INVENTORY, names.ORDERS, inventory.ReleaseRequest, inventory.Released
    ),
    Method(names.RESTOCK, names.INVENTORY, names.ORDERS, inventory.RestockRequest, None),
    Method(
        names.RESERVATIONS,
        names.INVENTORY,
        names.ORDERS,
        inventory.ReservationsWanted,
        inventory.Reservations,
    ),
    Method(names.STOCK, names.INVENTORY, ANYONE, None, inventory.Stock),
    Method(
        names.RAISE, names.ORDERS, names.APPROVALS, approvals.RaiseRequest, approvals.RaiseReply
    ),
    Method(
        names.REQUESTS,
        names.APPROVALS,
        names.ORDERS,
        approvals.RequestsWanted,
        approvals.Requests,
    ),
)


def topics_page() -> str:
    """Write the page; raises LookupError where a topic or a method is not described here."""
    _require_all()
    overview = table(
        ("Topic", "Publisher", "Subscriber", "CloudEvents type"),
        (
            (
                code(each.name),
                ", ".join(each.publishers) or ANYONE,
                ", ".join(each.subscribers) or ANYONE,
                code(each.event_type),
            )
            for each in TOPICS
        ),
    )
    return page("Topics and methods", INTRODUCTION, overview, *_topics(), *_methods(), *_objects())


def _topics() -> Iterator[str]:
    for topic in TOPICS:
        yield f"## `{topic.name}`"
        yield from _message(topic.forms[0].message.model_json_schema())


def _methods() -> Iterator[str]:
    yield "## Invoked methods"
    yield "Services invoke each other through their sidecars. Other callers get 403 `FORBIDDEN`."
    rows = ((code(each.name), each.service, each.callers) for each in METHODS)
    yield table(("Method", "Service", "Callers"), rows)
    for method in METHODS:
        yield f"### `{method.name}`"
        for role, model in (("Request", method.request), ("Reply", method.reply)):
            if model is not None:
                yield f"**{role}**"
                yield from _parts(model)


def _parts(model: Model) -> Iterator[str]:
    schema = _schema(model)
    if "oneOf" in schema:
        yield f"{type_of(schema, link_to)}."
    else:
        yield from _message(schema)


def _message(schema: Schema) -> Iterator[str]:
    yield text_of(schema)
    yield fields_of(schema, link_to) if schema.get("properties") else "No fields."


def _objects() -> Iterator[str]:
    yield "## Objects"
    schemas = {}
    for model in (*(topic.forms[0].message for topic in TOPICS), *_models()):
        schemas.update(_schema(model).get("$defs", {}))
    yield from objects_of(schemas)


def _models() -> Iterator[Model]:
    for method in METHODS:
        yield from (model for model in (method.request, method.reply) if model is not None)


def _schema(model: Model) -> Schema:
    return model.json_schema() if isinstance(model, TypeAdapter) else model.model_json_schema()


def _require_all() -> None:
    constants = {value for name, value in vars(names).items() if name.isupper() and "." in value}
    methods = {method for each in names.SERVICES.values() for method in each.methods}
    described = {each.name for each in (*TOPICS, *METHODS)}
    if missing := (constants | methods) - described:
        raise LookupError(f"describe {sorted(missing)} in {__name__}")
