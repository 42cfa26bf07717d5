"""The common dependencies of the packages of orders, and what each adds to the process."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from fastapi import APIRouter

from orderflow_contracts.fields import Clock
from orderflow_hosting.background import BackgroundWork
from orderflow_hosting.dapr_app import DaprApp
from orderflow_hosting.database import Database
from orderflow_hosting.dead_letters import DeadLetters, ParkedEvents
from orderflow_hosting.topics import Topics
from orderflow_workflow_runtime.client import DaprEngine
from orderflow_workflow_runtime.worker import Activity
from orders.config import OrdersSettings
from orders.gateways import DaprApprovals, DaprInventory


@dataclass(frozen=True, kw_only=True)
class Base:
    """The dependencies that every package may use: settings, database and gateways."""

    settings: OrdersSettings
    clock: Clock
    database: Database
    engine: DaprEngine
    inventory: DaprInventory
    approvals: DaprApprovals
    app: DaprApp
    topics: Topics
    dead_letters: DeadLetters
    parked: ParkedEvents
    background: BackgroundWork


@dataclass(frozen=True, kw_only=True)
class Part:
    """What a package adds to the process, apart from what other packages use of it.

    `jobs` run in the background from the moment the worker is connected until the process stops.
    """

    activities: Mapping[str, Activity] = field(default_factory=dict)
    routers: tuple[APIRouter, ...] = ()
    jobs: tuple[Callable[[], Awaitable[None]], ...] = ()


def named(steps: object, activities: Iterable[str]) -> dict[str, Any]:
    """Return the methods of an object that have the names of these activities."""
    return {name: getattr(steps, name) for name in activities}
