"""The fakes of the engine do what its ports promise, like the real client."""

from typing import Any

import pytest

from conformance.engine import EngineTests, ManagedEngineTests
from fakes.managed_engine import ManagedMemoryEngine
from fakes.orders_ports import MemoryEngine
from orderflow_workflow_runtime import HistoryEvent, RuntimeStatus
from orderflow_workflow_runtime.authoring import Payload
from orders.tasks.messages import TaskOrder


class Number(Payload):
    """Input of the workflow."""

    number: int


def payloads(raised: list[tuple[str, str, Any]], instance_id: str) -> list[Any]:
    """Return the first payload of each of the two events that an instance waits for."""
    events: dict[str, Any] = {}
    for receiver, event, payload in raised:
        if receiver == instance_id:
            events.setdefault(event, payload)
    return [events.get("first"), events.get("second")]


class MemorySubject:
    """The fake used for accepting orders."""

    workflow = "task_processing_workflow"
    payload = TaskOrder(task_id="t-1", title="Pick")

    def __init__(self) -> None:
        self.engine = MemoryEngine()

    async def finish(self, instance_id: str) -> None:
        """Let the run end."""
        self.engine.active.discard(instance_id)

    async def received(self, instance_id: str) -> list[Any]:
        """Return what was raised."""
        return payloads(self.engine.raised, instance_id)


class ManagedSubject:
    """The fake used for workflow management."""

    workflow = "conformance"
    payload = Number(number=5)

    def __init__(self) -> None:
        self.engine = ManagedMemoryEngine()

    async def finish(self, instance_id: str) -> None:
        """Let the instance complete, with a step in its history that it can be rerun from."""
        await self.engine.become(instance_id, RuntimeStatus.COMPLETED)
        self.engine.histories.pop(instance_id, None)
        first, last = await self.engine.history(instance_id)
        step = HistoryEvent(event_id=0, at=first.at, type="task_scheduled", is_rerunnable=True)
        self.engine.histories[instance_id] = [first, step, last]

    async def received(self, instance_id: str) -> list[Any]:
        """Return what was raised."""
        return payloads(self.engine.raised, instance_id)


class TestMemoryEngine(EngineTests):
    """The conformance tests of the port for starting and events."""

    @pytest.fixture
    def subject(self) -> MemorySubject:
        """Start with nothing."""
        return MemorySubject()


class TestManagedMemoryEngine(ManagedEngineTests):
    """The conformance tests of the port for management."""

    @pytest.fixture
    def subject(self) -> ManagedSubject:
        """Start with nothing."""
        return ManagedSubject()
