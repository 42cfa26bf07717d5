"""A workflow of another application that tries to run workflows of orders."""

import signal
from collections.abc import Generator
from typing import Any

from dapr.ext.workflow import DaprWorkflowContext, WorkflowRuntime


def intrude(
    ctx: DaprWorkflowContext, wanted: dict[str, Any]
) -> Generator[Any, Any, dict[str, Any]]:
    """Call a workflow or an activity of another application, and return the outcome."""
    call: Any = ctx.call_activity if wanted["kind"] == "activity" else ctx.call_child_workflow
    try:
        told = yield call(wanted["name"], input=wanted["input"], app_id=wanted["app_id"])
    except Exception as error:  # noqa: BLE001 # whatever it is, it is the answer
        return {"refused": str(error)}
    return {"told": told}


def main() -> None:
    """Serve until the pod ends."""
    runtime = WorkflowRuntime()
    runtime.register_workflow(intrude)
    runtime.start()
    signal.pause()


if __name__ == "__main__":
    main()
