import pytest

import service_code
from orderflow_contracts import names
from orderflow_contracts.orders import FINAL_STATUSES, OrderStatus, OrderStatusChanged

EVENT_TYPES = {
    "orders.submitted": "com.orderflow.order.submitted.v1",
    "orders.batch-submitted": "com.orderflow.order.batch-submitted.v1",
    "orders.batch-status": "com.orderflow.order.batch-status.v1",
    "orders.status": "com.orderflow.order.status.v1",
    "approvals.requested": "com.orderflow.approval.requested.v1",
    "approvals.decisions": "com.orderflow.approval.decision.v1",
    "approvals.withdrawn": "com.orderflow.approval.withdrawn.v1",
    "inventory.low-stock": "com.orderflow.inventory.low-stock.v1",
    "tasks.completed": "com.orderflow.task.completed.v1",
}
"""The event type of each topic. A new topic must be listed here."""


def test_topics_are_those_of_the_contract() -> None:
    """Other programs publish and subscribe under these names."""
    declared = {
        topic for each in names.SERVICES.values() for topic in (*each.publishes, *each.subscribes)
    }

    assert declared == set(service_code.TOPICS.values()) == EVENT_TYPES.keys()
    assert names.PUBSUB == "pubsub"


VERSIONS = {
    "orders.status.v2": "com.orderflow.order.status.v2",
    "tasks.completed.v12": "com.orderflow.task.completed.v12",
    "orders.verified": "com.orderflow.order.verified.v1",
}


@pytest.mark.parametrize(("topic", "expected"), (EVENT_TYPES | VERSIONS).items())
def test_event_types_are_singular_topics_with_a_version(topic: str, expected: str) -> None:
    """Each topic has one event type."""
    assert names.event_type(topic) == expected


def test_every_subscription_has_a_dead_letter_topic() -> None:
    """Events that cannot be handled go to it."""
    topics = [topic for topics in names.SUBSCRIPTIONS.values() for topic in topics]

    assert {names.dead_letter_topic(topic) for topic in topics} == {
        "orders.submitted.dead",
        "orders.batch-submitted.dead",
        "approvals.requested.dead",
        "approvals.decisions.dead",
        "approvals.withdrawn.dead",
        "tasks.completed.dead",
    }


def test_ports_of_the_local_run_are_those_of_the_contract() -> None:
    """The ports are the documented ones."""
    assert {
        app: (ports.http, ports.grpc, ports.dapr_http, ports.dapr_grpc)
        for app, ports in names.LOCAL_PORTS.items()
    } == {
        "orders": (8001, 7001, 3501, 50101),
        "inventory": (8002, 7002, 3502, 50102),
        "approvals": (8003, 7003, 3503, 50103),
    }


def test_statuses_are_those_of_the_contract() -> None:
    """There are ten statuses, of which five are final."""
    assert {status.value for status in OrderStatus} == {
        "received",
        "reserved",
        "awaiting_approval",
        "approved",
        "paid",
        "completed",
        "rejected",
        "cancelled",
        "failed",
        "needs_attention",
    }
    assert {status.value for status in OrderStatus if status.is_final} == FINAL_STATUSES
    assert {status.value for status in FINAL_STATUSES} == {
        "completed",
        "rejected",
        "cancelled",
        "failed",
        "needs_attention",
    }


def test_a_status_events_id_is_order_and_sequence() -> None:
    """A second delivery therefore has the same event id."""
    change = OrderStatusChanged.model_validate(
        {"order_id": "o-1", "sequence": 3, "status": "paid", "at": "2026-03-01T12:00:00Z"}
    )

    assert change.event_id == "o-1.3"
