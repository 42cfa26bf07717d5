"""The orders service with faults around its unchanged code.

python tests/torn/faulty_orders.py HOME name=value…
"""

import asyncio
import random
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import grpc
from dapr.ext.workflow import WorkflowRuntime

from orderflow_hosting.dapr_app import DaprApp
from orderflow_workflow_runtime import worker
from orderflow_workflow_runtime.upstream.torn_histories import guard, restarts
from orders import main

sys.path.insert(0, str(Path(__file__).parents[1]))
from torn.faults import STOP_FILE, Fault  # found only now

ANSWERS = ("/CompleteOrchestratorTask", "/CompleteWorkflowTask")
STOP = Path(sys.argv[1]) / STOP_FILE
FAULT = Fault.of(sys.argv[2:])


class LateAnswers(grpc.UnaryUnaryClientInterceptor):  # type: ignore[misc] # grpcio has no types
    """Delays answers on their way from the worker to the sidecar."""

    def intercept_unary_unary(
        self, call: Callable[[Any, Any], Any], details: Any, answer: Any
    ) -> Any:
        """Wait, then make the call."""
        method = details.method
        name = method.decode() if isinstance(method, bytes) else method
        if name.endswith(ANSWERS) and random.random() < FAULT.share and not STOP.exists():
            time.sleep(random.uniform(0, FAULT.late))
        return call(details, answer)


class LateCall:
    """A call to the engine that is made later, without a caller waiting for it."""

    def __init__(self, make: Callable[[], Any]) -> None:
        self._make = make

    def add_done_callback(self, callback: Callable[[Any], None]) -> None:
        """Make the call."""
        delay = 0.0 if STOP.exists() else random.uniform(0, FAULT.late)
        threading.Timer(delay, lambda: self._make().add_done_callback(callback)).start()


class LateRestarts(restarts.Restarts):
    """Restarts of turns, delayed like answers."""

    def __init__(self, turns: Any, channel: grpc.Channel) -> None:
        super().__init__(turns, channel)
        call = self._hub.CompleteOrchestratorTask.future
        late = SimpleNamespace(future=lambda *a, **k: LateCall(lambda: call(*a, **k)))
        self._hub.CompleteOrchestratorTask = late


class FaultyRuntime(WorkflowRuntime):
    """The SDK's runtime, with answers delayed at the last moment."""

    def __init__(self, host: str, port: str, *, interceptors: list[Any], **options: Any) -> None:
        super().__init__(host, port, interceptors=[*interceptors, LateAnswers()], **options)


class SlowWorker(worker.Worker):
    """The worker, with slow activities."""

    def _on_loop(self, activity: worker.Activity) -> worker.Activity:
        run = super()._on_loop(activity)

        async def slow(ctx: Any, payload: Any) -> Any:
            if FAULT.step and not STOP.exists():
                await asyncio.sleep(random.uniform(0, FAULT.step))
            return await run(ctx, payload)

        slow.__annotations__["payload"] = run.__annotations__["payload"]
        slow.__name__ = run.__name__
        return slow


class FlappingApp(DaprApp):
    """An application whose health alternates, as the sidecar sees it."""

    async def start(self) -> None:
        """Start to listen, and to alternate."""
        await super().start()
        threading.Thread(target=self._flap, daemon=True).start()

    def _flap(self) -> None:
        while FAULT.unwell and not STOP.exists():
            time.sleep(FAULT.well)
            self.report("it flaps")
            time.sleep(FAULT.unwell)
            self.report(None)


if __name__ == "__main__":
    vars(worker)["WorkflowRuntime"] = FaultyRuntime
    vars(guard)["Restarts"] = LateRestarts
    vars(main)["Worker"] = SlowWorker
    vars(main)["DaprApp"] = FlappingApp
    main.main()
