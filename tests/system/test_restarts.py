"""What the rule about turns of workflows expects of Dapr."""

import queue
import threading
import time
from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from dapr.ext.workflow._durabletask.internal import (
    helpers,
    orchestrator_service_pb2_grpc,
    protos,
)

from orderflow_tools.platform import Platform
from orderflow_tools.ports import LOOPBACK
from orderflow_workflow_runtime.upstream.attempts import Attempt
from orderflow_workflow_runtime.upstream.restarts import Restarts
from orderflow_workflow_runtime.upstream.turns import Step, Turns
from system.family import Family
from system.shop import wait_for


@pytest.fixture
def family(platform: Platform) -> Iterator[Family]:
    family = Family(platform)
    try:
        family.start()
        yield family
    finally:
        family.stop()


@pytest.fixture
def channel(family: Family) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(f"{LOOPBACK}:{family.ports.dapr_grpc}") as channel:
        yield channel


def read(hub: Any) -> "queue.Queue[Any]":
    """Read the work items of workflows, in a thread that ends with the channel."""
    items: queue.Queue[Any] = queue.Queue()
    stream = hub.GetWorkItems(protos.GetWorkItemsRequest())

    def put() -> None:
        try:
            for item in stream:
                if item.HasField("workflowRequest"):
                    items.put(item)
        except grpc.RpcError:
            pass  # the channel was closed

    threading.Thread(target=put, daemon=True).start()
    return items


def wait_until_restarted(turns: Turns, restarts: Restarts) -> None:
    """Let the restart be sent when its time has come, and wait for the reply."""

    def is_restarted() -> bool:
        restarts.begin_due()
        return Step.WAKE in (hold.step for hold in turns._held.values())

    wait_for("the restart", is_restarted)


def test_a_restart_ends_the_pending_attempt_and_another_follows(
    family: Family, channel: grpc.Channel
) -> None:
    """Nothing is written, so it is at the same turn; and an answer too many is not refused."""
    hub: Any = orchestrator_service_pb2_grpc.TaskHubSidecarServiceStub(channel)
    items = read(hub)
    starting = threading.Thread(target=family.begin, args=("turning",))
    starting.start()
    first = items.get(timeout=30)
    turns = Turns()
    turns.open(time.time())
    restarts = Restarts(turns, channel)

    assert not turns.take(first, time.time()), "it began before the stream was opened"

    wait_until_restarted(turns, restarts)

    second = items.get(timeout=30)
    assert turns.take(second, time.time())
    before, after = (Attempt.of(item.workflowRequest, "", 0.0) for item in (first, second))
    assert (after.execution, after.written, after.events) == (
        before.execution,
        before.written,
        before.events,
    )
    assert after.began_at > before.began_at
    ended: Any = protos.ORCHESTRATION_STATUS_COMPLETED
    done = helpers.new_complete_workflow_action(0, ended, "1")
    instance_id = second.workflowRequest.instanceId
    answer = protos.WorkflowResponse(instanceId=instance_id, actions=[done])
    hub.CompleteOrchestratorTask(answer, timeout=10)
    starting.join(30)
    instance = protos.GetInstanceRequest(instanceId=instance_id)
    state = hub.WaitForInstanceCompletion(instance, timeout=30).workflowState
    assert state.workflowStatus == ended
    hub.CompleteOrchestratorTask(answer, timeout=10)
