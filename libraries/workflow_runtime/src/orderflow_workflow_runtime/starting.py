"""Starting a workflow that may have been started before, under an id that is its alone."""

from typing import Any

from orderflow_workflow_runtime.ports import AlreadyRunning, Engine, EngineUnavailable


async def start_once(engine: Engine, workflow: str, instance_id: str, payload: Any) -> bool:
    """Start a workflow unless it is under way; tell whether it was started.

    Raises `EngineUnavailable`, also while another workflow holds the id: then try again.
    """
    try:
        await engine.start(workflow, instance_id, payload)
    except AlreadyRunning:
        instance = await engine.instance(instance_id, payloads=False)
        if instance is not None and instance.name != workflow:
            raise EngineUnavailable(f"{instance.name} runs as {instance_id}") from None
        return False
    return True
