"""The long-running step of the demonstration workflow."""

import asyncio

import structlog
from dapr.ext.workflow import WorkflowActivityContext

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

PARTS = 10


class HelloActivities:
    """The step, which works in ten parts of `part_seconds` each."""

    def __init__(self, *, part_seconds: float) -> None:
        self._part_seconds = part_seconds

    async def interactive_hello_activity(self, ctx: WorkflowActivityContext, name: str) -> str:
        """Greet someone, slowly."""
        for part in range(1, PARTS + 1):
            log.info("hello_works", instance_id=ctx.workflow_id, part=part, parts=PARTS)
            await asyncio.sleep(self._part_seconds)
        return f"Hello, {name}!"
