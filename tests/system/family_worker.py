"""A worker with workflows that the product does not have: children, failures, and a change.

    python tests/system/family_worker.py SIDECAR_GRPC_PORT [changed]

It says `ready` on its output, and ends when its input does.
"""

import sys
from collections.abc import Generator
from typing import Any

from dapr.ext.workflow import DaprWorkflowContext, WorkflowActivityContext, WorkflowRuntime


def parent(ctx: DaprWorkflowContext, _: Any) -> Generator[Any, Any, Any]:
    """Run a child workflow and return its result."""
    return (yield ctx.call_child_workflow("child", instance_id=f"{ctx.instance_id}-child"))


def child(ctx: DaprWorkflowContext, _: Any) -> Generator[Any, Any, Any]:
    """Run a child workflow, then wait for an event."""
    own: Any = ctx.call_child_workflow("grandchild", instance_id=f"{ctx.instance_id}-child")
    payload = yield ctx.wait_for_external_event("go_on")
    return [payload, (yield own)]


def grandchild(ctx: DaprWorkflowContext, _: Any) -> Generator[Any, Any, Any]:
    """Wait for an event."""
    return (yield ctx.wait_for_external_event("go_on"))


def failing(ctx: DaprWorkflowContext, _: Any) -> Generator[Any, Any, Any]:
    """Run a step that succeeds, then one that fails."""
    yield ctx.call_activity("good_step")
    yield ctx.call_activity("bad_step")


def changing(ctx: DaprWorkflowContext, _: Any) -> Generator[Any, Any, Any]:
    """Run a step and wait; the changed variant runs a different step."""
    yield ctx.call_activity("bad_step" if "changed" in sys.argv else "good_step")
    yield ctx.wait_for_external_event("go_on")


def good_step(_: WorkflowActivityContext, __: Any) -> str:
    """Succeed."""
    return "good"


def bad_step(_: WorkflowActivityContext, __: Any) -> str:
    """Fail."""
    raise ValueError("this step always fails")


def main(port: str) -> None:
    """Serve until the input ends."""
    runtime = WorkflowRuntime("127.0.0.1", port)
    for workflow in (parent, child, grandchild, failing, changing):
        runtime.register_workflow(workflow, name=workflow.__name__)
    for activity in (good_step, bad_step):
        runtime.register_activity(activity, name=activity.__name__)
    runtime.start()
    runtime.wait_for_worker_ready(30)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.read()
    runtime.shutdown()


if __name__ == "__main__":
    main(sys.argv[1])
