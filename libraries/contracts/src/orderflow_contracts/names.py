"""The fixed names of the system, and the declaration of each service.

Whatever starts, deploys, secures or tests services goes through `SERVICES`.
"""

import re
from typing import Final

from orderflow_contracts.service import Ports, Service

ORDERS: Final = "orders"
INVENTORY: Final = "inventory"
APPROVALS: Final = "approvals"

PUBSUB: Final = "pubsub"
WORKFLOW_STORE: Final = "workflow-store"
WORKFLOW_ENTRIES: Final = "workflow-entries"
"""The binding by which orders deletes an entry of the workflow store that the engine refuses to."""
INVENTORY_STORE: Final = "inventory-store"
SIDECAR_RULES: Final = "sidecar-rules"
"""The middleware that every sidecar loads: what its HTTP API refuses."""

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
RESERVATIONS: Final = "reservations"
RAISE: Final = "raise"
REQUESTS: Final = "requests"

APPROVAL_DECIDED: Final = "approval_decided"

_DECLARED: Final = (
    Service(
        app_id=ORDERS,
        ports=Ports(http=8001, grpc=7001, dapr_http=3501, dapr_grpc=50101),
        publishes=frozenset(
            {
                ORDERS_STATUS,
                ORDERS_BATCH_STATUS,
                APPROVALS_REQUESTED,
                APPROVALS_WITHDRAWN,
                INVENTORY_LOW_STOCK,
            }
        ),
        subscribes=(ORDERS_SUBMITTED, ORDERS_BATCH_SUBMITTED, TASKS_COMPLETED),
        scales_on=(ORDERS_SUBMITTED, ORDERS_BATCH_SUBMITTED),
        methods={RAISE: frozenset({APPROVALS})},
        components=frozenset({PUBSUB, WORKFLOW_STORE, WORKFLOW_ENTRIES}),
        has_tables=True,
    ),
    Service(
        app_id=INVENTORY,
        ports=Ports(http=8002, grpc=7002, dapr_http=3502, dapr_grpc=50102),
        methods=dict.fromkeys(
            (RESERVE, COMMIT, RELEASE, RESTOCK, STOCK, RESERVATIONS), frozenset({ORDERS})
        ),
        components=frozenset({INVENTORY_STORE}),
    ),
    Service(
        app_id=APPROVALS,
        ports=Ports(http=8003, grpc=7003, dapr_http=3503, dapr_grpc=50103),
        subscribes=(APPROVALS_REQUESTED, APPROVALS_DECISIONS, APPROVALS_WITHDRAWN),
        scales_on=(APPROVALS_REQUESTED, APPROVALS_DECISIONS),
        methods={REQUESTS: frozenset({ORDERS})},
        components=frozenset({PUBSUB}),
        has_tables=True,
    ),
)

SERVICES: Final = {service.app_id: service for service in _DECLARED}
"""Every service of the system, by app id, in the order in which they start and are listed."""

SUBSCRIPTIONS: Final = {app_id: service.subscribes for app_id, service in SERVICES.items()}
"""The topics to which each service subscribes, by app id."""

LOCAL_PORTS: Final = {app_id: service.ports for app_id, service in SERVICES.items()}
"""The default ports of the local run, by app id."""

_SINGULAR: Final = {
    "orders": "order",
    "approvals": "approval",
    "decisions": "decision",
    "tasks": "task",
}


def dead_letter_topic(topic: str) -> str:
    """Return the topic to which a consumer's sidecar moves events that could not be handled."""
    return f"{topic}.dead"


def is_dead_letter_topic(topic: str) -> bool:
    """Whether the topic is one to which sidecars move events that could not be handled."""
    return topic.endswith(dead_letter_topic(""))


def canary_topic(app_id: str) -> str:
    """Return the topic on which an application sends events to itself, to see them arrive."""
    return f"{app_id}.canary"


def event_type(topic: str) -> str:
    """Return the CloudEvents type of a topic's events: the topic in singular words, and a version.

    >>> event_type("approvals.decisions")
    'com.orderflow.approval.decision.v1'
    >>> event_type("approvals.decisions.v2")
    'com.orderflow.approval.decision.v2'
    """
    name, _, version = topic.rpartition(".")
    if not re.fullmatch(r"v[0-9]+", version):
        name, version = topic, "v1"
    words = (_SINGULAR.get(word, word) for word in name.split("."))
    return f"com.orderflow.{'.'.join(words)}.{version}"


def event_source(app_id: str) -> str:
    """Return the CloudEvents source of the events that an application publishes."""
    return f"/orderflow/{app_id}"
