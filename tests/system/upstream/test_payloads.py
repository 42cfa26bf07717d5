"""The SDK drops payloads such as 0 and false, and omits payloads from histories."""

import asyncio
from typing import Any

import pytest
from dapr.ext.workflow import DaprWorkflowClient

from orderflow_workflow_runtime import DaprEngine
from system.engine_platform import EnginePlatform
from system.upstream.scripted import ScriptedWorker, end, fault_of, schedule

FALSE_VALUES = [0, False, "", []]


@pytest.fixture
def client(engine_platform: EnginePlatform) -> DaprWorkflowClient:
    """Return the client of the SDK."""
    settings = engine_platform.service_settings
    return DaprWorkflowClient(settings.sidecar_host, str(settings.dapr_grpc_port))


def raised_in(turn: Any) -> Any:
    """Return the external event of a turn."""
    (raised,) = [
        event.eventRaised
        for event in turn.workflowRequest.newEvents
        if event.HasField("eventRaised")
    ]
    return raised


async def test_false_payloads_of_events_arrive(
    worker: ScriptedWorker, engine: DaprEngine, client: DaprWorkflowClient
) -> None:
    """The SDK's client sends no payload for them."""
    instance_id = worker.start("waiting")
    worker.answer(worker.turn())
    for value, text in zip(FALSE_VALUES, ["0", "false", '""', "[]"], strict=True):
        client.raise_workflow_event(instance_id, "event", data=value)
        turn = worker.turn()
        with fault_of("false_payloads.py"):
            assert not raised_in(turn).HasField("input")
        worker.answer(turn)

        await engine.raise_event(instance_id, "event", value)
        turn = worker.turn()
        assert raised_in(turn).input.value == text
        worker.answer(turn)
    await engine.raise_event(instance_id, "event", None)
    turn = worker.turn()
    assert not raised_in(turn).HasField("input")
    worker.answer(turn, end(0))
    worker.wait_until_finished(instance_id)


async def test_false_outputs_of_terminations_arrive(
    worker: ScriptedWorker, engine: DaprEngine, client: DaprWorkflowClient
) -> None:
    """The SDK's client sends no output for them."""

    def terminated() -> Any:
        """Answer the turn that terminates an instance, and return the output."""
        turn = worker.turn()
        (ended,) = [
            event.executionTerminated
            for event in turn.workflowRequest.newEvents
            if event.HasField("executionTerminated")
        ]
        worker.answer(turn, end(0))
        worker.wait_until_finished(turn.workflowRequest.instanceId)
        return ended.input

    first, second = (worker.start("ending") for _ in range(2))
    for _ in (first, second):
        worker.answer(worker.turn())

    with fault_of("false_payloads.py"):
        output, _ = await asyncio.gather(
            asyncio.to_thread(terminated),
            asyncio.to_thread(client.terminate_workflow, first, output=0),
        )
        assert output.value == ""
    output, _ = await asyncio.gather(asyncio.to_thread(terminated), engine.terminate(second, 0))
    assert output.value == "0"


async def test_histories_include_payloads(
    worker: ScriptedWorker, engine: DaprEngine, client: DaprWorkflowClient
) -> None:
    """The events that the SDK's client returns have none."""
    instance_id = worker.start("telling", '"an input"')
    worker.answer(worker.turn(), schedule(0, "step"))
    worker.complete(worker.activity(), '"a result"')
    worker.answer(worker.turn(), end(1))
    worker.wait_until_finished(instance_id)

    with fault_of("history_payloads.py"):
        events = repr(client.get_workflow_history(instance_id))
        assert "an input" not in events
        assert "a result" not in events
    history = await engine.history(instance_id)
    assert "an input" in [event.input for event in history]
    assert "a result" in [event.output for event in history]
