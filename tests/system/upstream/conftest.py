"""Scripted workers on the engine without services."""

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from orderflow_workflow_runtime import DaprEngine
from system.engine_platform import EnginePlatform
from system.shop import wait_for
from system.upstream.scripted import ScriptedWorker


@pytest.fixture
def new_worker(engine_platform: EnginePlatform) -> Iterator[Callable[..., ScriptedWorker]]:
    """Make scripted workers; afterwards disconnect them and remove unfinished workflows.

    The next worker would receive the turns of the workflows that a test has not ended.
    """
    made: list[ScriptedWorker] = []

    def make(*interceptors: Any, **options: Any) -> ScriptedWorker:
        made.append(ScriptedWorker(engine_platform.address, *interceptors, **options))
        return made[-1]

    yield make
    for worker in made:
        worker.close()
    wait_for("the sidecar to stop workflows", lambda: not engine_platform.runs_workflows())
    engine_platform.store.flushdb()


@pytest.fixture
def worker(
    engine_platform: EnginePlatform, new_worker: Callable[..., ScriptedWorker]
) -> ScriptedWorker:
    """Return a connected scripted worker, without any workaround."""
    worker = new_worker()
    worker.connect()
    wait_for("the sidecar to run workflows", engine_platform.runs_workflows)
    return worker


@pytest.fixture
async def engine(engine_platform: EnginePlatform) -> AsyncIterator[DaprEngine]:
    """Return the client of the workflow runtime."""
    engine = DaprEngine(engine_platform.service_settings)
    yield engine
    await engine.close()
