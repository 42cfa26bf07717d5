"""A sidecar that lost its worker at the wrong moment admits no other until it is freed."""

import asyncio
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from contextlib import suppress
from typing import Any

import httpx
import pytest
from dapr.ext.workflow import DaprWorkflowContext

from orderflow_hosting.sidecar import Sidecar
from system.engine_platform import EnginePlatform
from system.engine_worker import running_worker
from system.shop import wait_for
from system.upstream.scripted import COMPLETED, FAULT_SECONDS, ScriptedWorker, fault_of

NewWorker = Callable[..., ScriptedWorker]

UNREAD = (
    ("grpc.http2.lookahead_bytes", 1024),
    ("grpc.http2.bdp_probe", 0),
)
"""A connection with a small buffer for what the worker does not read."""
LARGE = '"' + "x" * 500_000 + '"'
"""A payload that fills the connection."""
STALLED_SECONDS = 5.0
"""A sidecar that has not recovered after this time does not do so by itself."""
FREED_SECONDS = 40.0


@pytest.fixture
async def sidecar(engine_platform: EnginePlatform) -> AsyncIterator[Sidecar]:
    sidecar = Sidecar("family", engine_platform.service_settings)
    yield sidecar
    await sidecar.close()


@pytest.fixture(autouse=True)
def restarted(engine_platform: EnginePlatform, request: pytest.FixtureRequest) -> Iterator[None]:
    """Restart the sidecar for the next test: after a stall it counts workers that have left."""
    request.getfixturevalue("new_worker")  # it is torn down after this
    yield
    engine_platform.restart_sidecar()


async def becomes(sidecar: Sidecar, seconds: float, *, stalled: bool) -> bool:
    """Return whether the sidecar stalls, or recovers, in time."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            while True:
                with suppress(httpx.HTTPError, ValueError):  # it may have been shut down
                    if await sidecar.is_stalled() == stalled:
                        return True
                await asyncio.sleep(0.05)
    return False


def stalled(_: DaprWorkflowContext, __: Any) -> Generator[Any, Any, None]:
    """End at once."""
    yield from ()


def is_waiting(engine_platform: EnginePlatform, instance_id: str) -> bool:
    """Return whether the first turn of an instance waits for a worker to receive it."""
    return engine_platform.log_holds(
        f"{instance_id}: scheduling workflow execution with durabletask engine"
    )


async def test_a_stalled_sidecar_is_freed(
    engine_platform: EnginePlatform, sidecar: Sidecar, new_worker: NewWorker
) -> None:
    """The turn waits for the lost worker and the next worker for the turn; `Worker` frees both."""
    lost = new_worker(options=UNREAD)
    lost.connect(reads=False)
    assert await becomes(sidecar, 10, stalled=False)
    started = [lost.start("stalled", LARGE) for _ in range(4)]
    await asyncio.to_thread(
        wait_for,
        "turns that the connection cannot take",
        lambda: all(is_waiting(engine_platform, instance_id) for instance_id in started),
    )

    lost.disconnect()
    unaided = new_worker()
    unaided.connect()
    with fault_of("stalled_sidecar.py"):
        assert await becomes(sidecar, FAULT_SECONDS, stalled=True)
        assert not await becomes(sidecar, STALLED_SECONDS, stalled=False)
    unaided.disconnect()

    async with running_worker(engine_platform, sidecar, {"stalled": stalled}):
        assert await becomes(sidecar, FREED_SECONDS, stalled=False)
        for instance_id in started:
            state = await asyncio.to_thread(unaided.wait_until_finished, instance_id)
            assert state.workflowStatus == COMPLETED
        app = engine_platform.app
        await asyncio.to_thread(wait_for, "a healthy application", lambda: app.unwell is None)
