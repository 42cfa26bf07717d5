"""The AsyncAPI document: valid, complete, and with examples that its own schemas accept."""

import hashlib
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator
from playwright._impl._driver import compute_driver_executable

from contracts.test_golden_messages import golden
from orderflow_contracts import names
from orderflow_contracts.asyncapi import document
from orderflow_contracts.topics import EXAMPLES, TOPICS, Form, Topic
from orderflow_hosting.events import read_event
from orderflow_hosting.topics import parse
from service_code import ROOT
from service_code import TOPICS as NAMED

PARSER = Path(__file__).parent / "asyncapi-parser"
ACCEPTED = {
    # 3.0.0 describes all that there is, and more programs read it than later versions.
    "asyncapi-latest-version",
}
DOCUMENT = document()
MESSAGES = DOCUMENT["components"]["messages"]
PUBLISHED = [
    pytest.param(topic, form, example["payload"], id=example["name"])
    for topic in TOPICS
    for form in topic.forms
    for example in MESSAGES[form.message.__name__]["examples"]
]


def parsed(text: str) -> dict[str, Any]:
    """Run `@asyncapi/parser` in the Node.js that Playwright brings along, pinned by its hash."""
    node, _ = compute_driver_executable()
    outcome = subprocess.run(
        [node, str(PARSER / "check.cjs")],
        input=text,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    found: dict[str, Any] = json.loads(outcome.stdout)
    return found


def errors(schema: dict[str, Any], value: object) -> list[str]:
    """Check a value against a schema of the document."""
    rooted = {"allOf": [schema], "components": DOCUMENT["components"]}
    return [error.message for error in Draft7Validator(rooted).iter_errors(value)]


def test_the_parser_finds_no_fault() -> None:
    """The specification's own parser reads the document without an error or a warning."""
    result = parsed(json.dumps(DOCUMENT))

    found = [each for each in result["diagnostics"] if each["code"] not in ACCEPTED]
    assert found == []
    assert result["operations"] == len(DOCUMENT["operations"])


def test_the_parser_finds_a_fault() -> None:
    """An operation on a channel that does not exist is an error."""
    faulty = json.loads(json.dumps(DOCUMENT))
    faulty["operations"]["orders.send.orders.status"]["channel"]["$ref"] = "#/channels/none"

    codes = {each["code"] for each in parsed(json.dumps(faulty))["diagnostics"]}

    assert "invalid-ref" in codes


def test_the_parsers_files_match_their_lock() -> None:
    """None was edited, and the version is the pinned one."""
    vendored = PARSER / "vendor"
    (entry,) = json.loads((vendored / "vendored.json").read_text()).values()
    pinned = json.loads((PARSER / "package.json").read_text())["dependencies"]
    locked = json.loads((PARSER / "package-lock.json").read_text())["packages"]

    assert pinned == {"@asyncapi/parser": entry["version"]}
    assert locked["node_modules/@asyncapi/parser"]["version"] == entry["version"]
    for name, digest in entry["files"].items():
        assert hashlib.sha256((vendored / name).read_bytes()).hexdigest() == digest


def test_every_topic_has_a_channel() -> None:
    """That includes the dead-letter topic of each subscription."""
    dead = {
        names.dead_letter_topic(topic) for each in names.SUBSCRIPTIONS.values() for topic in each
    }

    assert set(DOCUMENT["channels"]) == {*NAMED.values(), *dead}


def test_operations_are_those_of_the_declarations() -> None:
    """Each service sends and receives what it declares, and its dead letters."""
    expected = set()
    for app_id, service in names.SERVICES.items():
        dead = {names.dead_letter_topic(topic) for topic in service.subscribes}
        expected |= {(app_id, "send", topic) for topic in service.publishes | dead}
        expected |= {(app_id, "receive", topic) for topic in {*service.subscribes, *dead}}

    found = {
        (each["tags"][0]["name"], each["action"], each["channel"]["$ref"].rpartition("/")[2])
        for each in DOCUMENT["operations"].values()
    }

    assert found == expected


@pytest.mark.parametrize(("topic", "form", "payload"), PUBLISHED)
def test_an_example_is_valid(topic: Topic, form: Form, payload: dict[str, Any]) -> None:
    """The message's schema accepts it, and the services read it."""
    assert errors(MESSAGES[form.message.__name__]["payload"], payload) == []
    event = read_event(json.dumps(payload).encode())
    assert event.type == topic.event_type
    shown = form.message.model_validate(event.content)
    read = parse(topic.forms[0].message, event)
    assert getattr(read, topic.subject) == getattr(shown, topic.subject) == event.subject


@pytest.mark.parametrize(("topic", "form", "payload"), PUBLISHED)
def test_a_faulty_example_is_noticed(topic: Topic, form: Form, payload: dict[str, Any]) -> None:
    """The schema requires an envelope with an id, and data with what the topic is about."""
    schema = MESSAGES[form.message.__name__]["payload"]
    without_id = {key: value for key, value in payload.items() if key != "id"}
    data = {key: value for key, value in payload["data"].items() if key != topic.subject}

    assert errors(schema, without_id)
    assert errors(schema, {**payload, "data": []})
    assert bool(errors(schema, {**payload, "data": data})) == (not topic.id_stands_for_subject)


def test_examples_have_the_ids_of_the_services() -> None:
    """The id of a status is made of order and sequence, that of a batch's end of the batch."""
    shown = [
        example["payload"] for each in MESSAGES.values() for example in each.get("examples", ())
    ]
    ids = {event["type"]: event["id"] for event in shown}

    assert ids["com.orderflow.order.status.v1"] == "order-1.2"
    assert ids["com.orderflow.order.batch-status.v1"] == "batch-1.ended"
    assert ids["com.orderflow.approval.withdrawn.v1"] == "order-1.withdrawn"


def test_an_order_may_take_its_id_from_the_event() -> None:
    """Its schema does not require `order_id`, in either form."""
    schemas = DOCUMENT["components"]["schemas"]

    assert "order_id" not in schemas["OrderSubmitted"]["required"]
    assert "order_id" not in schemas["ShortOrderSubmitted"]["required"]


def test_every_form_has_an_example_and_every_example_a_form() -> None:
    """Each file of an example is shown once."""
    shown = [name for topic in TOPICS for form in topic.forms for name in form.examples]

    assert all(form.examples for topic in TOPICS for form in topic.forms)
    assert sorted(shown) == sorted(path.name.removesuffix(".json") for path in EXAMPLES.iterdir())
    assert all(golden(name) for name in shown)


@pytest.mark.parametrize(
    "service", [each for each in names.SERVICES.values() if each.publishes or each.subscribes]
)
def test_every_service_with_topics_serves_it(service: Any) -> None:
    """The reference, which is written from what a service serves, has the path."""
    page = ROOT / "docs" / "reference" / f"http-{service.app_id}.md"

    assert "`GET /asyncapi`" in page.read_text(encoding="utf-8")
