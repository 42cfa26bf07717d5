"""Today's messages are compatible with those of the previous version."""

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest

from contracts.freeze import EXAMPLES, MODELS, SCHEMAS, schemas
from contracts.narrowing import narrowed

PREVIOUS: dict[str, Any] = json.loads(SCHEMAS.read_text(encoding="utf-8"))
PATHS = sorted(EXAMPLES.glob("*.json"))


@pytest.mark.parametrize("path", PATHS, ids=lambda path: str(path.stem))
def test_an_example_of_the_previous_version_is_read(path: Any) -> None:
    """Whoever runs the previous version can go on sending; each value arrives as it was sent."""
    sent = json.loads(path.read_text(encoding="utf-8"))

    read = MODELS[path.stem].model_validate(sent).model_dump(mode="json")

    if path.stem != "orders.submitted-short":
        assert {name: read[name] for name in sent} == sent


@pytest.mark.parametrize("name", PREVIOUS)
def test_no_message_was_narrowed(name: str) -> None:
    """No field was removed, made required or restricted, and none stopped being required."""
    assert narrowed(PREVIOUS[name], schemas()[name]) == []


def test_every_frozen_example_has_its_frozen_schema() -> None:
    """Both were frozen together, for the same messages."""
    assert len(PATHS) >= 27
    assert {MODELS[path.stem].__name__ for path in PATHS} == set(PREVIOUS)


def order(schema: dict[str, Any]) -> dict[str, Any]:
    fields: dict[str, Any] = schema["properties"]
    return fields


BREAKING: dict[str, Callable[[dict[str, Any]], object]] = {
    "message.comment: was removed": lambda s: order(s).pop("comment"),
    "message.comment: is now required": lambda s: s["required"].append("comment"),
    "message.approver: is no longer required": lambda s: s["required"].remove("approver"),
    "message.approved: was boolean, is string": lambda s: order(s)["approved"].update(
        type="string"
    ),
    "message.approver: maxLength was 128, is 64": lambda s: order(s)["approver"].update(
        maxLength=64
    ),
    "message.comment: minLength was None, is 1": lambda s: order(s)["comment"].update(minLength=1),
    "message.order_id: pattern": lambda s: order(s)["order_id"].update(pattern="^[a-z]+$"),
    "message.comment: is now limited to": lambda s: order(s)["comment"].update(enum=["yes", "no"]),
    "message.added: is now required": lambda s: s["required"].append("added"),
}


@pytest.mark.parametrize("finding", BREAKING)
def test_a_breaking_change_is_found(finding: str) -> None:
    """Each kind of change that breaks a reader or a writer is reported, with its place."""
    changed = copy.deepcopy(PREVIOUS["DecisionMade"])
    BREAKING[finding](changed)

    found = narrowed(PREVIOUS["DecisionMade"], changed)

    assert [each for each in found if each.startswith(finding)], found


def test_breaking_changes_within_objects_lists_and_options_are_found() -> None:
    """References, entries and alternatives are compared too."""
    changed = copy.deepcopy(PREVIOUS["OrderStatusChanged"])
    changed["$defs"]["OrderStatus"]["enum"].remove("paid")
    order(changed)["reason"] = {"type": "string"}
    lines = copy.deepcopy(PREVIOUS["OrderSubmitted"])
    lines["$defs"]["OrderLine"]["properties"]["quantity"]["maximum"] = 1000

    assert narrowed(PREVIOUS["OrderStatusChanged"], changed) == [
        "message.status: ['paid'] is no longer accepted",
        "message.reason: {'type': 'null'} is no longer accepted",
    ]
    assert narrowed(PREVIOUS["OrderSubmitted"], lines) == [
        "message.lines.items.quantity: maximum was 1000000, is 1000"
    ]


def test_compatible_changes_are_allowed() -> None:
    """Optional fields, new values of a list, wider limits and further types break nobody."""
    changed = copy.deepcopy(PREVIOUS["DecisionMade"])
    order(changed)["added"] = {"type": "string", "default": ""}
    order(changed)["approver"]["maxLength"] = 256
    order(changed)["comment"] = {"anyOf": [order(changed)["comment"], {"type": "null"}]}
    status = copy.deepcopy(PREVIOUS["OrderStatusChanged"])
    status["$defs"]["OrderStatus"]["enum"].append("returned")
    order(status)["sequence"]["type"] = "number"

    assert narrowed(PREVIOUS["DecisionMade"], changed) == []
    assert narrowed(PREVIOUS["OrderStatusChanged"], status) == []
