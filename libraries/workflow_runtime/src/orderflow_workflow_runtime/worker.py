"""The workflow worker: registers workflows and activities with the engine and keeps connected."""

import asyncio
import inspect
import logging
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

import grpc
import httpx
import structlog
from dapr.ext.workflow import WorkflowRuntime
from dapr.ext.workflow._durabletask import worker as sdk_worker
from dapr.ext.workflow.logger import LoggerOptions

from orderflow_hosting.problems import Problem
from orderflow_hosting.settings import ServiceSettings
from orderflow_hosting.sidecar import InvocationRefused, Sidecar
from orderflow_workflow_runtime.authoring.tasks import Workflow
from orderflow_workflow_runtime.upstream.restarts import Restarts
from orderflow_workflow_runtime.upstream.turns import Turns
from orderflow_workflow_runtime.upstream.work_items import SafeTurns

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

SIDECAR_PAUSE_SECONDS = 0.2
READY_SECONDS = 0.1

Activity = Callable[..., Coroutine[Any, Any, Any]]


class NonRetryableError(Exception):
    """A step failed, and trying again would bring the same; the engine knows it by this name."""


def _repair_pausing() -> None:
    """Let a paused instance be paused again, and a running one resumed, to no effect.

    In SDK 1.19.0 the first makes the worker loop for ever and eat all memory once the instance is
    resumed: the second pause is put by with the events that wait, and when these are gone through
    it pauses again, so that each further one is appended to the very list. The second fails the
    instance. Neither can be kept away: the sidecar takes such calls from anyone.
    """
    executor = sdk_worker._OrchestrationExecutor  # noqa: SLF001 # there is no other way in
    process = executor.process_event

    def process_event(self: Any, ctx: Any, event: Any) -> None:
        idle = "executionSuspended" if self._is_suspended else "executionResumed"
        if event.WhichOneof("eventType") != idle:
            process(self, ctx, event)

    executor.process_event = process_event  # type: ignore[method-assign]


_repair_pausing()


class Worker:
    """Runs workflows and activities for the engine in the sidecar.

    The SDK runs its worker in threads with an event loop of its own; activities are handed to the
    service's loop, where their connections live.
    """

    def __init__(
        self,
        settings: ServiceSettings,
        sidecar: Sidecar,
        workflows: Mapping[str, Workflow],
        activities: Mapping[str, Activity],
    ) -> None:
        self._sidecar = sidecar
        self._loop = asyncio.get_running_loop()
        # The SDK's loggers write by themselves, and then hand on to the service's: once is enough.
        logged_once = LoggerOptions("WARNING", logging.NullHandler())
        turns = Turns()
        self._channel = grpc.insecure_channel(settings.sidecar_grpc)
        self._runtime = WorkflowRuntime(
            settings.sidecar_host,
            str(settings.dapr_grpc_port),
            logger_options=logged_once,
            interceptors=[SafeTurns(turns, Restarts(turns, self._channel))],
        )
        _skip_replaced(self._runtime, turns)
        for name, workflow in workflows.items():
            self._runtime.register_workflow(workflow, name=name)
        for name, activity in activities.items():
            self._runtime.register_activity(self._on_loop(activity), name=name)
        self._started = False

    async def start(self) -> None:
        """Connect as soon as the sidecar is there; it may come up after this process.

        The SDK would wait longer after each attempt that fails, so it begins when one can succeed.
        """
        while not await self._sidecar_is_up():  # noqa: ASYNC110 # nothing tells when it is
            await asyncio.sleep(SIDECAR_PAUSE_SECONDS)
        await asyncio.to_thread(self._runtime.start)
        self._started = True
        log.info("workflow_worker_ready")

    async def check(self) -> None:
        """Raise if the worker takes no work."""
        if not await self._is_connected():
            raise Problem(503, "WORKER_UNAVAILABLE", "the workflow worker is not connected")
        await self._sidecar.check_workflows()

    async def is_shut_out(self) -> bool:
        """Tell whether the worker is connected, and the sidecar has not taken note of it.

        Raises `httpx.HTTPError` where the sidecar is away.
        """
        return await self._sidecar.stands_still() and await self._is_connected()

    async def stop(self) -> None:
        """Send off what is ready, then disconnect; the engine gives the rest to the next worker."""
        await asyncio.to_thread(self._runtime.shutdown)
        self._channel.close()

    async def _is_connected(self) -> bool:
        return self._started and await asyncio.to_thread(
            self._runtime.wait_for_worker_ready, READY_SECONDS
        )

    async def _sidecar_is_up(self) -> bool:
        try:
            await self._sidecar.check()
        except httpx.HTTPError:
            return False
        return True

    def _on_loop(self, activity: Activity) -> Activity:
        async def run(ctx: Any, payload: Any) -> Any:
            handed = asyncio.run_coroutine_threadsafe(_told(activity(ctx, payload)), self._loop)
            return await asyncio.wrap_future(handed)

        _, model = list(inspect.signature(activity).parameters.values())
        run.__annotations__["payload"] = model.annotation  # by which the SDK reads the payload
        run.__name__ = activity.__name__
        return run


def _skip_replaced(runtime: WorkflowRuntime, turns: Turns) -> None:
    """Let turns whose answers would be dropped not run: they would hold up others in the queue."""
    sdk = vars(runtime)["_WorkflowRuntime__worker"]  # there is no other way in
    execute = sdk._execute_orchestrator  # noqa: SLF001 # likewise

    def execute_newest(request: Any, token: str, *rest: Any) -> None:
        if turns.is_newest(request.instanceId, token):
            execute(request, token, *rest)

    sdk._execute_orchestrator = execute_newest  # noqa: SLF001 # likewise


async def _told(work: Coroutine[Any, Any, Any]) -> Any:
    """Tell the engine which failures will not pass."""
    try:
        return await work
    except InvocationRefused as error:
        raise NonRetryableError(str(error)) from error
