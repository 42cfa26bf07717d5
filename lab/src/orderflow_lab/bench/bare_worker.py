"""A workflow of five activities that do nothing, and the process that runs it.

    python -m orderflow_lab.bench.bare_worker SIDECAR_GRPC_PORT

For each line of JSON on standard input, `{"count", "in_flight", "pause"}`, it runs that number of
workflows and answers with a line `{"seconds", "latencies_ms"}`. It ends when its input ends.
"""

import asyncio
import json
import sys
import time
import uuid
from collections.abc import Generator
from typing import Any, Final

from dapr.ext.workflow import DaprWorkflowContext, WorkflowActivityContext, WorkflowRuntime
from dapr.ext.workflow.aio import DaprWorkflowClient

from orderflow_tools.ports import LOOPBACK

ACTIVITIES: Final = 5
WORKFLOW: Final = "bare_workflow"
ACTIVITY: Final = "nothing"


def bare_workflow(ctx: DaprWorkflowContext, _: Any) -> Generator[Any, Any, None]:
    """Call the activity five times in sequence, as an order does its steps."""
    for step in range(1, ACTIVITIES + 1):
        yield ctx.call_activity(ACTIVITY, input={"id": ctx.instance_id, "step": step})


class BareWork:
    """Schedules bare workflows, each of which counts as ended when its last activity runs.

    An order likewise counts as ended when its last activity has published its final status.
    """

    def __init__(self, client: DaprWorkflowClient) -> None:
        self._client = client
        self._loop = asyncio.get_running_loop()
        self._ends: dict[str, asyncio.Future[None]] = {}

    async def nothing(self, _: WorkflowActivityContext, payload: dict[str, Any]) -> None:
        """Do nothing; the last activity ends the workflow."""
        if payload["step"] == ACTIVITIES:
            self._loop.call_soon_threadsafe(self._end, payload["id"])

    async def run(self, count: int, in_flight: int, pause: float) -> dict[str, Any]:
        """Run `count` workflows, and return how long all of them and each of them took."""
        places, run = asyncio.Semaphore(in_flight), uuid.uuid4().hex[:12]
        latencies: list[float] = []

        async def one(number: int) -> None:
            async with places:
                await asyncio.sleep(pause)
                begun = time.perf_counter()
                await self._one(f"bare-{run}-{number}")
                latencies.append(1000 * (time.perf_counter() - begun))

        begun = time.perf_counter()
        await asyncio.gather(*map(one, range(count)))
        return {"seconds": time.perf_counter() - begun, "latencies_ms": latencies}

    async def _one(self, instance_id: str) -> None:
        end = self._ends[instance_id] = self._loop.create_future()
        await self._client.schedule_new_workflow(WORKFLOW, instance_id=instance_id)
        await end

    def _end(self, instance_id: str) -> None:
        end = self._ends.pop(instance_id, None)  # activities run at least once
        if end is not None:
            end.set_result(None)


async def serve(port: str) -> None:
    """Answer each line of the input until it ends."""
    client = DaprWorkflowClient(LOOPBACK, port)
    work = BareWork(client)
    runtime = WorkflowRuntime(LOOPBACK, port)
    runtime.register_workflow(bare_workflow, name=WORKFLOW)
    runtime.register_activity(work.nothing, name=ACTIVITY)
    await asyncio.to_thread(runtime.start)
    try:
        while line := await asyncio.to_thread(sys.stdin.readline):
            print(json.dumps(await work.run(**json.loads(line))), flush=True)
    finally:
        await asyncio.to_thread(runtime.shutdown)


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1]))
