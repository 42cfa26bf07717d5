"""Dapr tells some errors apart only by their text."""

from collections.abc import Awaitable, Callable

import grpc
import pytest
from dapr.ext.workflow._durabletask.internal import protos

from orderflow_workflow_runtime import AlreadyRunning, DaprEngine, NoSuchInstance
from system.upstream.scripted import ScriptedWorker, end, fault_of

Call = Callable[[DaprEngine, str], Awaitable[None]]

CALLS: dict[str, tuple[str, type, Call]] = {
    "raise": ("RaiseEvent", protos.RaiseEventRequest, lambda e, i: e.raise_event(i, "event", 1)),
    "pause": ("SuspendInstance", protos.SuspendRequest, lambda e, i: e.pause(i)),
    "resume": ("ResumeInstance", protos.ResumeRequest, lambda e, i: e.resume(i)),
    "terminate": ("TerminateInstance", protos.TerminateRequest, lambda e, i: e.terminate(i)),
    "purge": ("PurgeInstances", protos.PurgeInstancesRequest, lambda e, i: e.purge(i)),
}
"""The method of the engine's API, its request, and the same by our client."""


@pytest.mark.parametrize("name", CALLS)
async def test_an_unknown_instance_has_no_distinct_code(
    worker: ScriptedWorker, engine: DaprEngine, name: str
) -> None:
    """The client still raises a distinct error."""
    method, request, call = CALLS[name]

    with pytest.raises(grpc.RpcError) as raised:
        getattr(worker.hub, method)(request(instanceId="unheard-of"), timeout=10)

    with fault_of("error_texts.py"):
        assert raised.value.code() is grpc.StatusCode.UNKNOWN
    with pytest.raises(NoSuchInstance):
        await call(engine, "unheard-of")


async def test_an_id_in_use_has_no_distinct_code(
    worker: ScriptedWorker, engine: DaprEngine
) -> None:
    """The client raises a distinct error all the same."""
    instance_id = worker.start("active")
    worker.answer(worker.turn())
    request = protos.CreateInstanceRequest(instanceId=instance_id, name="active")

    with pytest.raises(grpc.RpcError) as raised:
        worker.hub.StartInstance(request, timeout=10)

    with fault_of("error_texts.py"):
        assert raised.value.code() is grpc.StatusCode.UNKNOWN
    with pytest.raises(AlreadyRunning):
        await engine.start("active", instance_id, None)
    raising = worker.hub.RaiseEvent.future(
        protos.RaiseEventRequest(instanceId=instance_id, name="end"), timeout=10
    )
    worker.answer(worker.turn(), end(0))
    raising.result()
    worker.wait_until_finished(instance_id)
