"""Invalid input, and the field that the error names."""

import json
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from orderflow_contracts.approvals import (
    ApprovalRequested,
    ApprovalWithdrawn,
    DecisionMade,
    RaiseRequest,
)
from orderflow_contracts.batches import BatchSubmitted
from orderflow_contracts.inventory import ReserveRequest, RestockRequest
from orderflow_contracts.orders import OrderStatusChanged, OrderSubmitted
from orderflow_contracts.tasks import TaskCompleted
from orderflow_hosting.problems import invalid_input

LINE = {"item": "cars", "quantity": 1}
ORDER: dict[str, Any] = {"order_id": "o-1", "customer_id": "alice", "lines": [LINE]}
SHORT: dict[str, Any] = {"order_id": "o-1", "item": "cars", "quantity": 1}
DECISION: dict[str, Any] = {"order_id": "o-1", "approved": True, "approver": "bob"}
REQUESTED: dict[str, Any] = {
    **ORDER,
    "total_cents": 1,
    "expires_at": "2026-03-01T12:00:00Z",
}

ORDER_IDS: list[Any] = [
    "",
    "a" * 65,
    "o 1",
    "o.1",
    "o/1",
    "ö",
    "o-1\n",
    "\u0661",
    "o\0",
    "\ud800",
    7,
    True,
    None,
    ["o-1"],
    {"id": "o-1"},
]
QUANTITIES: list[Any] = [
    0,
    -1,
    1_000_001,
    10**400,
    1.0,
    1.5,
    "1",
    "eleven",
    True,
    None,
    [1],
    float("nan"),
    float("inf"),
]
NAMES: list[Any] = [
    "",
    "x" * 129,
    "a\nb",
    "a\n",
    "a\tb",
    "a\0",
    "\x1b[31m",
    "\x7f",
    "\ud800",
    "\udfff",
    5,
    None,
    ["cars"],
]
TEXTS: list[Any] = ["x" * 2001, "a\0b", "\udc00", 5, None]
CENTS: list[Any] = [-1, 1.0, "1", True, None, 2**63]
MOMENTS: list[Any] = ["2026-03-01T12:00:00", "yesterday", "", None, "0001-01-01T00:00:00+01:00"]
BOOLEANS: list[Any] = ["true", "yes", 1, 0, None, [], "\ud800"]
NO_LINES: list[Any] = [[], None, "x", 3]
NO_LINE: list[Any] = ["cars", None, [], 1]
THINGS: list[Any] = [None, "order", 7, 1.5, True, [], [ORDER]]


def lines(*quantities: tuple[str, int]) -> list[dict[str, Any]]:
    return [{"item": item, "quantity": quantity} for item, quantity in quantities]


def table() -> list[Any]:
    """List each invalid input with its model and the field that the error must name."""
    many = [{"item": f"i{number}", "quantity": 1} for number in range(101)]
    rows: list[tuple[type[BaseModel], Any, str]] = [
        *((OrderSubmitted, {**ORDER, "order_id": bad}, "order_id") for bad in ORDER_IDS),
        (OrderSubmitted, {"customer_id": "a", "lines": [LINE]}, "order_id"),
        *((OrderSubmitted, {**ORDER, "customer_id": bad}, "customer_id") for bad in NAMES),
        (OrderSubmitted, {"order_id": "o-1", "lines": [LINE]}, "customer_id"),
        *(
            (OrderSubmitted, {**ORDER, "lines": [LINE | {"quantity": bad}]}, "lines.0.quantity")
            for bad in QUANTITIES
        ),
        *(
            (OrderSubmitted, {**ORDER, "lines": [LINE, LINE | {"item": bad}]}, "lines.1.item")
            for bad in NAMES
        ),
        *((OrderSubmitted, {**ORDER, "lines": bad}, "lines") for bad in NO_LINES),
        (OrderSubmitted, {**ORDER, "lines": many}, "lines"),
        (OrderSubmitted, {**ORDER, "lines": {"0": LINE}}, "lines"),
        (OrderSubmitted, {**ORDER, "lines": lines(("cars", 1), ("cars", 1))}, "lines"),
        (OrderSubmitted, {**ORDER, "lines": lines(("a", 1), ("b", 1), ("a", 2))}, "lines"),
        *((OrderSubmitted, {**ORDER, "lines": [bad]}, "lines.0") for bad in NO_LINE),
        (OrderSubmitted, {**ORDER, "lines": [{"item": "cars"}]}, "lines.0.quantity"),
        (OrderSubmitted, {**ORDER, "lines": [{"quantity": 1}]}, "lines.0.item"),
        (OrderSubmitted, {"order_id": "o-1", "customer_id": "alice"}, "lines"),
        *((OrderSubmitted, {**SHORT, "quantity": bad}, "lines.0.quantity") for bad in QUANTITIES),
        *((OrderSubmitted, {**SHORT, "item": bad}, "lines.0.item") for bad in NAMES),
        (OrderSubmitted, {"order_id": "o-1", "item": "cars"}, "lines.0.quantity"),
        (OrderSubmitted, {**SHORT, "customer_id": ""}, "customer_id"),
        *((OrderSubmitted, thing, "body") for thing in THINGS),
        (ReserveRequest, {"order_id": "o-1", "lines": []}, "lines"),
        (ReserveRequest, {"order_id": "o-1", "lines": [LINE, LINE]}, "lines"),
        (ReserveRequest, {"order_id": "o.1", "lines": [LINE]}, "order_id"),
        *((RestockRequest, {"item": "x", "quantity": bad}, "quantity") for bad in (0, -1, "1")),
        (RestockRequest, {"quantity": 1}, "body"),
        *((DecisionMade, {**DECISION, "approved": bad}, "approved") for bad in BOOLEANS),
        *((DecisionMade, {**DECISION, "approver": bad}, "approver") for bad in NAMES),
        *((DecisionMade, {**DECISION, "comment": bad}, "comment") for bad in TEXTS),
        *((DecisionMade, {**DECISION, "order_id": bad}, "order_id") for bad in ORDER_IDS),
        (DecisionMade, {"order_id": "o-1", "approver": "bob"}, "approved"),
        (DecisionMade, {"order_id": "o-1", "approved": True}, "approver"),
        *((DecisionMade, thing, "body") for thing in THINGS),
        *((ApprovalRequested, {**REQUESTED, "total_cents": bad}, "total_cents") for bad in CENTS),
        *((ApprovalRequested, {**REQUESTED, "expires_at": bad}, "expires_at") for bad in MOMENTS),
        (ApprovalRequested, {**REQUESTED, "lines": [LINE, LINE]}, "lines"),
        *((ApprovalRequested, {**REQUESTED, "levels": bad}, "levels") for bad in (0, 3, "2", None)),
        (ApprovalRequested, {**REQUESTED, "reminder": "perhaps"}, "reminder"),
        *((ApprovalWithdrawn, {"order_id": "o-1", "reason": bad}, "reason") for bad in TEXTS),
        *(
            (TaskCompleted, {"task_id": bad}, "task_id")
            for bad in ORDER_IDS
            if bad != "a" * 65  # a task's id may be longer
        ),
        (TaskCompleted, {"task_id": "a" * 81}, "task_id"),
        *(
            (TaskCompleted, {"task_id": "t-1", "completed_at": bad}, "completed_at")
            for bad in MOMENTS
            if bad is not None
        ),
        *((TaskCompleted, thing, "body") for thing in THINGS),
        *((BatchSubmitted, {"batch_id": bad, "orders": [ORDER]}, "batch_id") for bad in ORDER_IDS),
        (BatchSubmitted, {"orders": [ORDER]}, "batch_id"),
        (BatchSubmitted, {"batch_id": "b-1"}, "orders"),
        (BatchSubmitted, {"batch_id": "b-1", "orders": [1] * 501}, "orders"),
        *((BatchSubmitted, {"batch_id": "b-1", "orders": bad}, "orders") for bad in NO_LINES),
        (BatchSubmitted, {"batch_id": "b-1", "orders": {"0": ORDER}}, "orders"),
        *((BatchSubmitted, thing, "body") for thing in THINGS),
        (RaiseRequest, {"order_id": "o-1", "data": {"approver": "b"}}, "data.approved"),
        (RaiseRequest, {"order_id": "o-1", "data": DECISION, "event_name": "x"}, "event_name"),
        (
            OrderStatusChanged,
            {"order_id": "o", "sequence": 1, "status": "lost", "at": "2026-03-01T12:00:00Z"},
            "status",
        ),
    ]
    return [
        pytest.param(model, data, field, id=f"{model.__name__}-{field}-{number}")
        for number, (model, data, field) in enumerate(rows)
    ]


@pytest.mark.parametrize(("model", "data", "field"), table())
def test_invalid_input_is_refused_and_the_field_named(
    model: type[BaseModel], data: Any, field: str
) -> None:
    """The error names the field, for parsed input and for JSON text."""
    with pytest.raises(ValidationError) as error:
        model.model_validate(data)

    problem = invalid_input(error.value.errors(include_url=False))
    assert problem.errors[0].field == field
    assert problem.errors[0].message
    assert json.dumps(problem.document())
    with pytest.raises(ValidationError):
        model.model_validate_json(json.dumps(data))


@pytest.mark.parametrize(
    "order_id", ["o", "a" * 64, "A-Za_z-09", "-", "_", "0", "018f3f2e-7a0c-7000-8000-000000000000"]
)
def test_order_ids_may_be_anything_that_an_instance_id_may(order_id: str) -> None:
    """They have 1 to 64 letters, digits, hyphens and underscores."""
    assert OrderSubmitted.model_validate({**ORDER, "order_id": order_id}).order_id == order_id


@pytest.mark.parametrize("quantity", [1, 1_000_000])
def test_quantities_are_from_one_to_a_million(quantity: int) -> None:
    """Both bounds are allowed."""
    order = OrderSubmitted.model_validate({**SHORT, "quantity": quantity})

    assert order.lines[0].quantity == quantity


def test_an_order_may_have_a_hundred_lines() -> None:
    """All lines have different items."""
    many = [{"item": f"i{number}", "quantity": 1} for number in range(100)]

    assert len(OrderSubmitted.model_validate({**ORDER, "lines": many}).lines) == 100


@pytest.mark.parametrize("name", ["Zoë", "車", "a b", "O'Neill; DROP TABLE", "😀", "x" * 128])
def test_names_may_be_anything_printable(name: str) -> None:
    """Names of people and items need not be ASCII."""
    order = OrderSubmitted.model_validate({**ORDER, "customer_id": name, "lines": [LINE]})

    assert order.customer_id == name


def test_a_comment_may_have_several_lines() -> None:
    """A comment may contain line breaks, and may be missing."""
    assert DecisionMade.model_validate({**DECISION, "comment": "a\nb"}).comment == "a\nb"
    assert DecisionMade.model_validate(DECISION).comment == ""
