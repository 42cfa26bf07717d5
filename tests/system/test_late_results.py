"""A result of an activity that outlives its run does not reach the next run under the same id."""

import asyncio
from collections.abc import AsyncIterator, Generator
from typing import Any

import pytest
from dapr.ext.workflow import DaprWorkflowContext

from orderflow_hosting.sidecar import Sidecar
from orderflow_workflow_runtime import DaprEngine
from orderflow_workflow_runtime.authoring import Payload, Task
from orderflow_workflow_runtime.upstream.late_results import (
    first_action_of,
    number_actions_after,
)
from system.engine_platform import EnginePlatform
from system.engine_worker import running_worker
from system.shop import new_id

STEP_SECONDS = 30.0


class Run(Payload):
    """A run, and the number after which its actions count."""

    name: str
    first_action: int = 0


class Steps:
    """Activities that end when the test says so, each with the name of its run."""

    def __init__(self) -> None:
        self.may_end: dict[str, asyncio.Event] = {
            name: asyncio.Event() for name in ("former", "new")
        }
        self.begun = {name: asyncio.Event() for name in self.may_end}
        self.ended = {name: asyncio.Event() for name in self.may_end}

    async def step(self, _: object, run: Run) -> str:
        """Wait, then return the name of the run."""
        self.begun[run.name].set()
        await asyncio.wait_for(self.may_end[run.name].wait(), STEP_SECONDS)
        self.ended[run.name].set()
        return run.name


def held(ctx: DaprWorkflowContext, run: Run) -> Generator[Task[Any], Any, str]:
    """Run one step and return its result."""
    number_actions_after(ctx, run.first_action)
    result: str = yield ctx.call_activity("step", input=run)
    return result


@pytest.fixture
def steps() -> Steps:
    return Steps()


@pytest.fixture
async def engine(engine_platform: EnginePlatform, steps: Steps) -> AsyncIterator[DaprEngine]:
    """Run the worker, and return the client."""
    sidecar = Sidecar("family", engine_platform.service_settings)
    engine = DaprEngine(engine_platform.service_settings)
    async with running_worker(engine_platform, sidecar, {"held": held}, {"step": steps.step}):
        yield engine
    await engine.close()
    await sidecar.close()


@pytest.mark.parametrize(
    ("first_action", "output"),
    [(first_action_of("new"), "new"), (0, "former")],
    ids=["numbered apart", "as it is"],
)
async def test_a_late_result_completes_no_action_of_the_new_run(
    engine: DaprEngine, steps: Steps, first_action: int, output: str
) -> None:
    """Without numbers of their own, the new run's actions get the results of the former run."""
    instance_id = new_id("late")
    await engine.start("held", instance_id, Run(name="former"))
    await asyncio.wait_for(steps.begun["former"].wait(), STEP_SECONDS)

    await engine.discard(instance_id, with_children=True)
    assert await engine.instance(instance_id) is None
    await engine.start("held", instance_id, Run(name="new", first_action=first_action))
    await asyncio.wait_for(steps.begun["new"].wait(), STEP_SECONDS)
    steps.may_end["former"].set()
    await asyncio.wait_for(steps.ended["former"].wait(), STEP_SECONDS)
    if first_action:
        with pytest.raises(TimeoutError):
            await engine.finished(instance_id, 2)
        steps.may_end["new"].set()
    ended = await engine.finished(instance_id, STEP_SECONDS)
    steps.may_end["new"].set()

    assert ended is not None
    assert ended.output == output
