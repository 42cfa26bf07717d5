"""What the services' code says about itself, to compare the manifests with."""

from collections.abc import Awaitable, Callable
from functools import cache
from typing import Any, Final

from cloudevents.http import CloudEvent

import approvals.decisions.topics
import inventory.api
import orders.batches.api
import orders.ordering.api
import orders.tasks.api
from approvals.config import ApprovalsSettings
from approvals.decisions.service import ApprovalService
from fakes.memory_store import MemoryStore
from fakes.recorded_app import RecordedApp
from inventory.config import InventorySettings
from inventory.service import StockService
from orderflow_contracts import names
from orderflow_hosting.dapr_app import DRAIN_SECONDS, DaprApp
from orderflow_hosting.dead_letters import DeadLetters
from orderflow_hosting.health import health_router
from orderflow_hosting.process import HTTP_GRACE_SECONDS
from orderflow_hosting.settings import ServiceSettings
from orders.config import OrdersSettings

SETTINGS: Final[dict[str, type[ServiceSettings]]] = {
    names.ORDERS: OrdersSettings,
    names.INVENTORY: InventorySettings,
    names.APPROVALS: ApprovalsSettings,
}
INJECTED: Final = {"DAPR_HTTP_PORT", "DAPR_GRPC_PORT"}
"""What Dapr's injector sets in a service's container."""

STOP_SECONDS: Final = DRAIN_SECONDS + HTTP_GRACE_SECONDS
"""How long a service may take for the work that it has in hand when it is told to stop."""

NOT_USED: Any = None
"""Stands for what a handler would need, where handlers are registered and never called."""


def variables(app_id: str) -> set[str]:
    """Return the names of all environment variables that a service reads."""
    settings = SETTINGS[app_id]
    prefix = settings.model_config["env_prefix"]
    return {
        str(field.validation_alias or f"{prefix}{name.upper()}")
        for name, field in settings.model_fields.items()
    }


def port(app_id: str, name: str) -> int:
    """Return the port that a service listens on unless it is told another."""
    return int(SETTINGS[app_id].model_fields[name].default)


def health_paths() -> set[str]:
    """Return the paths at which every service tells of its health."""
    return {str(getattr(route, "path", "")) for route in health_router({}).routes}


class Registered(RecordedApp):
    """Keeps the methods, and for each topic that is subscribed to its dead-letter topic."""

    def __init__(self) -> None:
        super().__init__()
        self.subscriptions: dict[str, str | None] = {}

    on_topic = DaprApp.on_topic
    on_dead_letters = DaprApp.on_dead_letters

    def _subscribe(
        self,
        topic: str,
        handle: Callable[[CloudEvent], Awaitable[None]],  # noqa: ARG002 # none is called
        dead_letters: str | None,
    ) -> None:
        self.subscriptions[topic] = dead_letters


@cache
def registered(app_id: str) -> Registered:
    """Return what a service offers its sidecar."""
    app, letters = Registered(), DeadLetters(NOT_USED, NOT_USED, NOT_USED, subject_of=NOT_USED)
    if app_id == names.ORDERS:
        orders.ordering.api.subscribe(app, NOT_USED, letters)
        orders.ordering.api.offer_methods(app, NOT_USED)
        orders.batches.api.subscribe_to_batches(app, NOT_USED, letters)
        orders.tasks.api.subscribe_tasks(app, NOT_USED, letters)
    elif app_id == names.APPROVALS:
        approvals.decisions.topics.subscribe(app, ApprovalService(NOT_USED, NOT_USED), letters)
    else:
        inventory.api.offer_methods(app, StockService(MemoryStore()))
    return app
