"""An endless workflow: it counts, and continues as new so that its history stays small."""

from collections.abc import Generator
from datetime import timedelta
from typing import Any

from dapr.ext.workflow import DaprWorkflowContext

from orderflow_workflow_runtime.authoring.tasks import Task
from orders.management.messages import Count


def never_ending_workflow(ctx: DaprWorkflowContext, start: Any) -> Generator[Task[Any], Any, None]:
    """Show the count in the custom status, pause, and continue with the next."""
    count = Count.read(start)
    ctx.set_custom_status(str(count.value))
    yield ctx.create_timer(timedelta(seconds=count.pause_seconds))
    ctx.continue_as_new(count.next().model_dump(), save_events=True)
