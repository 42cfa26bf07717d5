"""The fixed names of the system: applications, components, topics, methods and ports."""

from dataclasses import dataclass
from typing import Final

ORDERS: Final = "orders"
INVENTORY: Final = "inventory"
APPROVALS: Final = "approvals"

PUBSUB: Final = "pubsub"
WORKFLOW_STORE: Final = "workflow-store"
INVENTORY_STORE: Final = "inventory-store"

ORDERS_SUBMITTED: Final = "orders.submitted"
ORDERS_STATUS: Final = "orders.status"
APPROVALS_REQUESTED: Final = "approvals.requested"
APPROVALS_DECISIONS: Final = "approvals.decisions"
APPROVALS_WITHDRAWN: Final = "approvals.withdrawn"
INVENTORY_LOW_STOCK: Final = "inventory.low-stock"
TASKS_COMPLETED: Final = "tasks.completed"
ORDERS_BATCH_SUBMITTED: Final = "orders.batch-submitted"
ORDERS_BATCH_STATUS: Final = "orders.batch-status"

RESERVE: Final = "reserve"
COMMIT: Final = "commit"
RELEASE: Final = "release"
RESTOCK: Final = "restock"
STOCK: Final = "stock"
RAISE: Final = "raise"

APPROVAL_DECIDED: Final = "approval_decided"

SUBSCRIPTIONS: Final[dict[str, tuple[str, ...]]] = {
    ORDERS: (ORDERS_SUBMITTED, ORDERS_BATCH_SUBMITTED, TASKS_COMPLETED),
    INVENTORY: (),
    APPROVALS: (APPROVALS_REQUESTED, APPROVALS_DECISIONS, APPROVALS_WITHDRAWN),
}
"""The topics that each application subscribes to, by application id."""

_SINGULAR: Final = {
    "orders": "order",
    "approvals": "approval",
    "decisions": "decision",
    "tasks": "task",
}


def dead_letter_topic(topic: str) -> str:
    """Return the topic to which a consumer's sidecar moves events that could not be handled."""
    return f"{topic}.dead"


def event_type(topic: str) -> str:
    """Return the CloudEvents type of a topic's events: the topic in singular words.

    >>> event_type("approvals.decisions")
    'com.orderflow.approval.decision.v1'
    """
    words = (_SINGULAR.get(word, word) for word in topic.split("."))
    return f"com.orderflow.{'.'.join(words)}.v1"


def event_source(app_id: str) -> str:
    """Return the CloudEvents source of the events that an application publishes."""
    return f"/orderflow/{app_id}"


@dataclass(frozen=True)
class Ports:
    """The TCP ports of one application and its sidecar in the local run."""

    http: int
    grpc: int
    dapr_http: int
    dapr_grpc: int


LOCAL_PORTS: Final[dict[str, Ports]] = {
    ORDERS: Ports(http=8001, grpc=7001, dapr_http=3501, dapr_grpc=50101),
    INVENTORY: Ports(http=8002, grpc=7002, dapr_http=3502, dapr_grpc=50102),
    APPROVALS: Ports(http=8003, grpc=7003, dapr_http=3503, dapr_grpc=50103),
}
"""The default ports of the local run, by application id."""
