"""A workflow worker that a test controls step by step: what it answers, and when."""

import logging
import queue
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import grpc
import pytest
from dapr.ext.workflow._durabletask import worker as sdk_worker
from dapr.ext.workflow._durabletask.internal import (
    helpers,
    orchestrator_service_pb2_grpc,
    protos,
)

PATIENCE_SECONDS = 30.0
COMPLETED: Any = protos.ORCHESTRATION_STATUS_COMPLETED
QUIET_SECONDS = 2.5
"""If no other attempt follows within this time, none will."""
FAULT_SECONDS = 10.0
"""A fault shows within this time or not at all."""


class ScriptedWorker:
    """A client of the sidecar's worker API, on its own channel.

    `options` and `interceptors` are those of the channel.
    """

    def __init__(
        self,
        address: str,
        *interceptors: Any,
        options: Sequence[tuple[str, int]] = (),
    ) -> None:
        self._channel = grpc.insecure_channel(address, options=list(options))
        channel = grpc.intercept_channel(self._channel, *interceptors)
        self.hub: Any = orchestrator_service_pb2_grpc.TaskHubSidecarServiceStub(channel)
        self._items: dict[str, queue.Queue[Any]] = {
            "workflowRequest": queue.Queue(),
            "activityRequest": queue.Queue(),
        }
        self._starts: dict[str, threading.Thread] = {}
        self.stream: Any = None

    def connect(self, *, reads: bool = True) -> None:
        """Open a stream of work items; unless it `reads`, items stay in the connection."""
        self.stream = self.hub.GetWorkItems(protos.GetWorkItemsRequest())
        if reads:
            threading.Thread(target=self._read, args=[self.stream], daemon=True).start()

    def disconnect(self) -> None:
        """Break the stream."""
        self.stream.cancel()

    def close(self) -> None:
        """Disconnect for good."""
        if self.stream is not None:
            self.stream.cancel()
        self._channel.close()
        for start in self._starts.values():
            start.join(PATIENCE_SECONDS)

    def start(self, name: str, payload: str | None = None) -> str:
        """Start a workflow and return its id, not waiting for the first turn as the engine does."""
        instance_id = f"{name}-{secrets.token_hex(4)}"
        request = protos.CreateInstanceRequest(
            instanceId=instance_id, name=name, input=helpers.get_string_value(payload)
        )
        thread = threading.Thread(target=self._start, args=[request])
        self._starts[instance_id] = thread
        thread.start()
        return instance_id

    def turn(self, seconds: float = PATIENCE_SECONDS) -> Any:
        """Return the next attempt at a turn; raise `queue.Empty` if none comes."""
        return self._items["workflowRequest"].get(timeout=seconds)

    def newest_turn(self, instance_id: str) -> Any:
        """Receive attempts at an instance's turn until no other follows; return the newest.

        The engine makes another attempt a second after one that it has given up, which it may do
        more than once while workers come and go.
        """
        newest = None
        with suppress(queue.Empty):
            while True:
                turn = self.turn(PATIENCE_SECONDS if newest is None else QUIET_SECONDS)
                if turn.workflowRequest.instanceId == instance_id:
                    newest = turn
        assert newest is not None, f"no turn of {instance_id}"
        return newest

    def activity(self, seconds: float = PATIENCE_SECONDS) -> Any:
        """Return the next activity to run; raise `queue.Empty` if none comes."""
        return self._items["activityRequest"].get(timeout=seconds)

    def answer(self, turn: Any, *actions: Any) -> None:
        """Answer an attempt at a turn."""
        response = protos.WorkflowResponse(
            instanceId=turn.workflowRequest.instanceId,
            actions=actions,
            completionToken=turn.completionToken,
        )
        self.hub.CompleteOrchestratorTask(response, timeout=PATIENCE_SECONDS)

    def complete(self, activity: Any, result: str = "null") -> None:
        """Answer an activity with a result."""
        request = activity.activityRequest
        response = protos.ActivityResponse(
            instanceId=request.workflowInstance.instanceId,
            taskId=request.taskId,
            result=helpers.get_string_value(result),
            completionToken=activity.completionToken,
        )
        self.hub.CompleteActivityTask(response, timeout=PATIENCE_SECONDS)

    def status(self, instance_id: str) -> int:
        """Return the status of an instance."""
        request = protos.GetInstanceRequest(instanceId=instance_id)
        answer = self.hub.GetInstance(request, timeout=PATIENCE_SECONDS)
        return int(answer.workflowState.workflowStatus)

    def wait_until_finished(self, instance_id: str) -> Any:
        """Return the state of an instance once it has finished."""
        request = protos.GetInstanceRequest(instanceId=instance_id, getInputsAndOutputs=True)
        return self.hub.WaitForInstanceCompletion(request, timeout=PATIENCE_SECONDS).workflowState

    def _start(self, request: Any) -> None:
        """Call until the sidecar runs workflows; it may not do so yet."""
        for _ in range(50):
            error = self.hub.StartInstance.future(request, timeout=PATIENCE_SECONDS).exception()
            if error is None or "did not find address" not in (error.details() or ""):
                return
            time.sleep(0.1)

    def _read(self, stream: Any) -> None:
        try:
            for item in stream:
                self._items[item.WhichOneof("request")].put(item)
        except grpc.RpcError:
            pass  # the stream was broken


def schedule(number: int, activity: str) -> Any:
    """Return the action that calls an activity."""
    return helpers.new_schedule_task_action(number, activity, None, None)


def end(number: int, result: str = "null") -> Any:
    """Return the action that completes the workflow."""
    return helpers.new_complete_workflow_action(number, COMPLETED, result)


def executor_of(workflow: Callable[..., Any]) -> Any:
    """Return the SDK's executor with one workflow, registered under its own name."""
    registry = sdk_worker._Registry()
    registry.add_named_orchestrator(workflow.__name__, workflow)
    return sdk_worker._OrchestrationExecutor(registry, logging.getLogger("scripted"))


def actions_of(executor: Any, turn: Any) -> list[Any]:
    """Return what the SDK answers to an attempt at a turn."""
    request = turn.workflowRequest
    results = executor.execute(request.instanceId, request.pastEvents, request.newEvents)
    return list(results.actions)


@contextmanager
def fault_of(module: str) -> Iterator[None]:
    """Run steps that show a fault; if they do not, fail with what can be deleted."""
    try:
        yield
    except (AssertionError, queue.Empty) as error:
        pytest.fail(
            f"The fault did not show. If this Dapr or SDK has mended it, delete "
            f"orderflow_workflow_runtime/upstream/{module} and this test. ({error!r})"
        )
