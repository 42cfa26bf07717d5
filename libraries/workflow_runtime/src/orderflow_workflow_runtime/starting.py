"""Starts a workflow that may have been started before, under an id of its own."""

from typing import Any

from orderflow_workflow_runtime.ports import AlreadyRunning, Engine, EngineUnavailable


async def start_once(engine: Engine, workflow: str, instance_id: str, payload: Any) -> bool:
    """Start a workflow unless it is active; return whether it was started.

    Raises `EngineUnavailable`, also while another workflow has the id; callers can retry.
    """
    try:
        await engine.start(workflow, instance_id, payload)
    except AlreadyRunning:
        instance = await engine.instance(instance_id, payloads=False)
        if instance is not None and instance.name != workflow:
            raise EngineUnavailable(f"{instance.name} is active as {instance_id}") from None
        return False
    return True
