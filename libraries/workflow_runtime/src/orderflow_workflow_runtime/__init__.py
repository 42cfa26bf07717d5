"""Runs a service's Dapr workflows: a worker, a client, and replays. The README has an example.

Workflow code imports only `orderflow_workflow_runtime.authoring`. Recordings and replays are kept
apart, in `histories`, `recorder` and `replay`, because a running service does not need them.
"""

from orderflow_workflow_runtime.client import DaprEngine
from orderflow_workflow_runtime.instances import Failure, HistoryEvent, Instance, RuntimeStatus
from orderflow_workflow_runtime.observing import Observer
from orderflow_workflow_runtime.ports import (
    AlreadyRunning,
    CannotRerun,
    Engine,
    EngineUnavailable,
    InstanceDamaged,
    ManagedEngine,
    NoSuchInstance,
)
from orderflow_workflow_runtime.starting import start_once
from orderflow_workflow_runtime.worker import Activity, NonRetryableError, Worker

__all__ = [
    "Activity",
    "AlreadyRunning",
    "CannotRerun",
    "DaprEngine",
    "Engine",
    "EngineUnavailable",
    "Failure",
    "HistoryEvent",
    "Instance",
    "InstanceDamaged",
    "ManagedEngine",
    "NoSuchInstance",
    "NonRetryableError",
    "Observer",
    "RuntimeStatus",
    "Worker",
    "start_once",
]
