"""The topics, with the messages on each and an example of every message."""

import json
from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files
from typing import Any, Final

from orderflow_contracts import names
from orderflow_contracts.approvals import ApprovalRequested, ApprovalWithdrawn, DecisionMade
from orderflow_contracts.batches import BatchStatusChanged, BatchSubmitted
from orderflow_contracts.fields import Message
from orderflow_contracts.inventory import LowStock
from orderflow_contracts.orders import OrderStatusChanged, OrderSubmitted, ShortOrderSubmitted
from orderflow_contracts.tasks import TaskCompleted

EXAMPLES: Final = files("orderflow_contracts") / "examples"
"""The folder of the examples, each the data of one event in a JSON file."""


@dataclass(frozen=True)
class Form:
    """A form that the messages on a topic may have, and the names of its examples."""

    message: type[Message]
    examples: tuple[str, ...]


@dataclass(frozen=True)
class Topic:
    """A topic, the field that is the subject of its events, and the forms of its messages.

    If `id_stands_for_subject`, an event without that field has its own id as its subject.
    """

    name: str
    subject: str
    forms: tuple[Form, ...]
    id_stands_for_subject: bool = False

    @property
    def event_type(self) -> str:
        """The CloudEvents type of its events."""
        return names.event_type(self.name)

    @cached_property
    def publishers(self) -> tuple[str, ...]:
        """The services that publish on it; none if that is left to other programs."""
        return tuple(app for app, each in names.SERVICES.items() if self.name in each.publishes)

    @cached_property
    def subscribers(self) -> tuple[str, ...]:
        """The services that handle its events; none if that is left to other programs."""
        return tuple(app for app, each in names.SERVICES.items() if self.name in each.subscribes)


TOPICS: Final = (
    Topic(
        names.ORDERS_SUBMITTED,
        "order_id",
        (
            Form(OrderSubmitted, ("orders.submitted",)),
            Form(ShortOrderSubmitted, ("orders.submitted-short",)),
        ),
        id_stands_for_subject=True,
    ),
    Topic(
        names.ORDERS_STATUS,
        "order_id",
        (Form(OrderStatusChanged, ("orders.status", "orders.status-rejected")),),
    ),
    Topic(
        names.ORDERS_BATCH_SUBMITTED,
        "batch_id",
        (Form(BatchSubmitted, ("orders.batch-submitted",)),),
    ),
    Topic(
        names.ORDERS_BATCH_STATUS,
        "batch_id",
        (Form(BatchStatusChanged, ("orders.batch-status",)),),
    ),
    Topic(
        names.APPROVALS_REQUESTED,
        "order_id",
        (Form(ApprovalRequested, ("approvals.requested", "approvals.requested-reminder")),),
    ),
    Topic(names.APPROVALS_DECISIONS, "order_id", (Form(DecisionMade, ("approvals.decisions",)),)),
    Topic(
        names.APPROVALS_WITHDRAWN,
        "order_id",
        (Form(ApprovalWithdrawn, ("approvals.withdrawn",)),),
    ),
    Topic(names.TASKS_COMPLETED, "task_id", (Form(TaskCompleted, ("tasks.completed",)),)),
    Topic(names.INVENTORY_LOW_STOCK, "item", (Form(LowStock, ("inventory.low-stock",)),)),
)
"""Every topic of the platform, except the dead-letter topics."""


def example(name: str) -> dict[str, Any]:
    """Read an example: the data of an event, with all its fields."""
    data: dict[str, Any] = json.loads((EXAMPLES / f"{name}.json").read_text(encoding="utf-8"))
    return data
