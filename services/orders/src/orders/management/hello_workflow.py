"""A workflow to try out the management of workflows: a long step, then a wait for a person."""

from collections.abc import Generator
from typing import Any

from dapr.ext.workflow import DaprWorkflowContext

from orderflow_workflow_runtime.authoring.tasks import Task
from orders import workflow_names as names


def interactive_hello_workflow(
    ctx: DaprWorkflowContext, user_name: str | None
) -> Generator[Task[Any], Any, dict[str, Any]]:
    """Greet someone, slowly; then wait for `approvalEvent` and return greeting and payload."""
    greeting = yield ctx.call_activity(names.INTERACTIVE_HELLO_STEP, input=user_name or "User")
    payload = yield ctx.wait_for_external_event(names.APPROVAL_EVENT)
    return {"initial_greeting": greeting, "event_data": payload, "status": "Approved"}
