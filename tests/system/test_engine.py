"""The engine client passes the conformance tests of its port on the real Dapr."""

from collections.abc import AsyncIterator, Generator
from typing import Any

import pytest
from dapr.ext.workflow import DaprWorkflowContext

from conformance.engine import ManagedEngineTests
from orderflow_hosting.sidecar import Sidecar
from orderflow_workflow_runtime import DaprEngine
from orderflow_workflow_runtime.authoring import Payload, Task
from system.engine_platform import EnginePlatform
from system.engine_worker import running_worker


class Number(Payload):
    """Input of the step."""

    number: int


async def step(_: object, payload: Number) -> int:
    """Return the input."""
    return payload.number


def conformance(ctx: DaprWorkflowContext, payload: Number) -> Generator[Task[Any], Any, list[Any]]:
    """Run a step, wait for two events in turn, and return their payloads."""
    yield ctx.call_activity("step", input=payload)
    first = yield ctx.wait_for_external_event("first")
    second = yield ctx.wait_for_external_event("second")
    return [first, second]


class DaprSubject:
    """The real client, and a worker that runs the workflow."""

    workflow = "conformance"
    payload = Number(number=5)

    def __init__(self, engine: DaprEngine) -> None:
        self.engine = engine

    async def finish(self, instance_id: str) -> None:
        """Raise the events that the instance may still be waiting for."""
        await self.engine.resume(instance_id)
        for event in ("first", "second"):
            await self.engine.raise_event(instance_id, event, None)

    async def received(self, instance_id: str) -> list[Any]:
        """Return the workflow's output."""
        instance = await self.engine.instance(instance_id)
        assert instance is not None
        return list(instance.output)


@pytest.fixture
async def subject(engine_platform: EnginePlatform) -> AsyncIterator[DaprSubject]:
    """Run the worker."""
    sidecar = Sidecar("family", engine_platform.service_settings)
    engine = DaprEngine(engine_platform.service_settings)
    async with running_worker(
        engine_platform, sidecar, {"conformance": conformance}, {"step": step}
    ):
        yield DaprSubject(engine)
    await engine.close()
    await sidecar.close()


class TestDaprEngine(ManagedEngineTests):
    """The conformance tests of the engine port."""
