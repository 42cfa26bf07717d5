"""The workflow worker: runs workflows and activities for the engine in the sidecar."""

import asyncio
import inspect
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

import httpx
import structlog
from dapr.ext.workflow import WorkflowRuntime

from orderflow_hosting.problems import Problem
from orderflow_hosting.settings import ServiceSettings
from orderflow_hosting.sidecar import InvocationRefused, Sidecar
from orderflow_hosting.supervision import Supervised
from orderflow_workflow_runtime.authoring.tasks import Workflow
from orderflow_workflow_runtime.observing import ObservedTurns, Observer
from orderflow_workflow_runtime.upstream import stalled_sidecar, torn_histories
from orderflow_workflow_runtime.upstream.doubled_logs import logged_once
from orderflow_workflow_runtime.upstream.pausing import repair_pausing
from orderflow_workflow_runtime.upstream.stalled_sidecar import StalledSidecar
from orderflow_workflow_runtime.upstream.torn_histories.guard import TurnGuard
from orderflow_workflow_runtime.upstream.versions import SDK_VERSION

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

SIDECAR_PAUSE_SECONDS: Final = 0.2
READY_SECONDS: Final = 0.1
THREAD_PAUSE_SECONDS: Final = 1.0

Activity = Callable[..., Coroutine[Any, Any, Any]]


class WorkerDied(Exception):
    """The SDK's thread that receives work has ended, which the SDK reports to nobody."""


class NonRetryableError(Exception):
    """An activity failed in a way that retries cannot change; the SDK checks for this name."""


class Worker:
    """Runs workflows and activities, and recovers from the faults of Dapr that `upstream` lists.

    `report` makes the application's health check fail with a reason, or, with None, succeed again.
    An `observer` is called when an instance starts, ends, or is suspended or resumed.
    The SDK runs its worker in threads with an event loop of its own; activities run on the
    service's loop, to which their connections belong.
    """

    def __init__(
        self,
        settings: ServiceSettings,
        sidecar: Sidecar,
        report: Callable[[str | None], None],
        *,
        workflows: Mapping[str, Workflow],
        activities: Mapping[str, Activity],
        observer: Observer | None = None,
    ) -> None:
        repair_pausing()
        self._sidecar = sidecar
        self._loop = asyncio.get_running_loop()
        self._guard = TurnGuard(settings.sidecar_grpc)
        self._stalled = StalledSidecar(self._is_sidecar_stalled, report, sidecar.shut_down)
        self._watches: list[Supervised] = []
        observers = [ObservedTurns(observer)] if observer is not None else []
        self._running: Counter[tuple[str, int]] = Counter()
        self._runtime = WorkflowRuntime(
            settings.sidecar_host,
            str(settings.dapr_grpc_port),
            logger_options=logged_once(),
            interceptors=[self._guard.interceptor, *observers],
        )
        for name, workflow in workflows.items():
            self._runtime.register_workflow(workflow, name=name)
        for name, activity in activities.items():
            self._runtime.register_activity(self._on_loop(activity), name=name)

    async def start(self) -> None:
        """Connect as soon as the sidecar responds; it may start after this process.

        The SDK pauses longer after each failed attempt, so it is started when one can succeed.
        """
        while (dapr := await self._version_if_up()) is None:  # noqa: ASYNC110 # there is no event
            await asyncio.sleep(SIDECAR_PAUSE_SECONDS)
        if torn_histories.FAULT.is_in(dapr):
            self._guard.install(self._runtime)
        else:
            self._guard.switch_off()
        await asyncio.to_thread(self._runtime.start)
        self._watches.append(Supervised(self._watch_thread))
        if stalled_sidecar.FAULT.is_in(dapr):
            self._watches.append(Supervised(self._stalled.watch))
        log.info("workflow_worker_ready", dapr=dapr, sdk=SDK_VERSION)

    async def check(self) -> None:
        """Raise `Problem` if the worker receives no work."""
        if not await self._is_connected():
            raise Problem(503, "WORKER_UNAVAILABLE", "the workflow worker is not connected")
        await self._sidecar.check_workflows()

    def is_running(self, instance_id: str, task_id: int) -> bool:
        """Whether this worker is running an activity of an instance at the moment."""
        return self._running[instance_id, task_id] > 0

    async def stop(self) -> None:
        """Send the results that are ready, then disconnect; the next worker gets the rest."""
        for watch in self._watches:
            await watch.stop()
        await asyncio.to_thread(self._runtime.shutdown)
        self._guard.close()

    async def _watch_thread(self) -> None:
        """Raise `WorkerDied` once the SDK's thread has ended."""
        sdk = vars(self._runtime)["_WorkflowRuntime__worker"]  # the SDK offers no hook for this
        while sdk._runLoop.is_alive():  # noqa: ASYNC110, SLF001 # likewise
            await asyncio.sleep(THREAD_PAUSE_SECONDS)
        raise WorkerDied("the workflow worker's thread has ended")

    async def _is_sidecar_stalled(self) -> bool:
        return await self._sidecar.is_stalled() and await self._is_connected()

    async def _is_connected(self) -> bool:
        return bool(self._watches) and await asyncio.to_thread(
            self._runtime.wait_for_worker_ready, READY_SECONDS
        )

    async def _version_if_up(self) -> str | None:
        """Return the version of the sidecar's Dapr, which may be empty; None if it is not up."""
        try:
            await self._sidecar.check()
            return await self._sidecar.version()
        except (httpx.HTTPError, ValueError):
            return None

    def _on_loop(self, activity: Activity) -> Activity:
        async def run(ctx: Any, payload: Any) -> Any:
            with self._counted(ctx.workflow_id, ctx.task_id):
                work = asyncio.run_coroutine_threadsafe(_run(activity(ctx, payload)), self._loop)
                return await asyncio.wrap_future(work)

        _, model = list(inspect.signature(activity).parameters.values())
        run.__annotations__["payload"] = model.annotation  # from which the SDK makes the payload
        run.__name__ = activity.__name__
        return run

    @contextmanager
    def _counted(self, instance_id: str, task_id: int) -> Iterator[None]:
        """Count an activity as running; the same one may be running twice."""
        self._running[instance_id, task_id] += 1
        try:
            yield
        finally:
            self._running[instance_id, task_id] -= 1
            if not self._running[instance_id, task_id]:
                del self._running[instance_id, task_id]


async def _run(work: Coroutine[Any, Any, Any]) -> Any:
    """Run an activity; a refusal by another service is not retried."""
    try:
        return await work
    except InvocationRefused as error:
        raise NonRetryableError(str(error)) from error
