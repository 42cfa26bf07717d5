"""A worker of the workflow runtime, running in the test process."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from unittest import mock

from orderflow_hosting.sidecar import Sidecar
from orderflow_workflow_runtime import Activity, Worker
from orderflow_workflow_runtime.authoring import Workflow
from orderflow_workflow_runtime.upstream.registration import unmarked
from system.engine_platform import EnginePlatform

NO_ACTIVITIES: Mapping[str, Activity] = {}


@asynccontextmanager
async def running_worker(
    platform: EnginePlatform,
    sidecar: Sidecar,
    workflows: Mapping[str, Workflow],
    activities: Mapping[str, Activity] = NO_ACTIVITIES,
) -> AsyncIterator[Worker]:
    """Run a worker, and close the event loop that the SDK leaves open when it stops."""
    loops: list[asyncio.AbstractEventLoop] = []
    new_event_loop = asyncio.new_event_loop

    def new_loop() -> asyncio.AbstractEventLoop:
        loops.append(new_event_loop())
        return loops[-1]

    worker = Worker(
        platform.service_settings,
        sidecar,
        platform.app.report,
        workflows={name: unmarked(workflow) for name, workflow in workflows.items()},
        activities=activities,
    )
    with mock.patch.object(asyncio, "new_event_loop", new_loop):
        await worker.start()
    try:
        yield worker
    finally:
        await worker.stop()
        for loop in loops:
            loop.close()
