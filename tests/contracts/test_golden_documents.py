"""Events and problem documents as the services serialize them."""

import json

from cloudevents.conversion import to_json
from cloudevents.http import CloudEvent, from_json

from contracts.test_golden_messages import golden
from orderflow_contracts.orders import OrderStatusChanged, OrderSubmitted
from orderflow_hosting.events import write_event
from orderflow_hosting.problems import FieldError, Problem


def a_status() -> OrderStatusChanged:
    return OrderStatusChanged.model_validate(golden("orders.status-rejected"))


def test_an_event_serializes_to_its_golden_file() -> None:
    """The envelope has type, source, subject, content type and the given id."""
    change = a_status()

    written = json.loads(
        write_event(
            "orders.status",
            change,
            app_id="orders",
            subject=change.order_id,
            event_id=change.event_id,
        )
    )

    assert written.pop("time")
    assert written == golden("event")


def test_an_event_round_trips() -> None:
    """Parsing the envelope gives the original message."""
    change = a_status()
    written = write_event("orders.status", change, app_id="orders", subject="order-1")

    event = from_json(written)

    assert OrderStatusChanged.model_validate(event.data) == change


def test_events_without_a_given_id_get_different_ids() -> None:
    """Two events are never taken for duplicates."""
    order = OrderSubmitted.model_validate(golden("orders.submitted"))

    ids = {
        json.loads(write_event("orders.submitted", order, app_id="orders", subject="order-1"))["id"]
        for _ in range(3)
    }

    assert len(ids) == 3


def test_unknown_attributes_and_fields_of_an_event_are_ignored() -> None:
    """Other publishers may add attributes and fields."""
    change = a_status()
    event = CloudEvent(
        {"type": "x", "source": "y", "traceparent": "z"},
        {**golden("orders.status-rejected"), "more": 1},
    )

    read = from_json(to_json(event))

    assert OrderStatusChanged.model_validate(read.data) == change


def test_a_problem_serializes_to_its_golden_file() -> None:
    """A problem document has a stable code, and names the invalid fields."""
    problem = Problem(
        422,
        "INVALID_INPUT",
        "lines.0.quantity: Input should be greater than or equal to 1",
        [
            FieldError(
                field="lines.0.quantity", message="Input should be greater than or equal to 1"
            )
        ],
    )

    assert problem.document() == golden("problem")


def test_a_problem_without_invalid_fields_has_no_errors() -> None:
    """`errors` is present only if fields are invalid."""
    document = Problem(409, "ORDER_EXISTS", "order o-1 exists with other content").document()

    assert document == {
        "type": "about:blank",
        "title": "Order exists",
        "status": 409,
        "detail": "order o-1 exists with other content",
        "code": "ORDER_EXISTS",
    }
