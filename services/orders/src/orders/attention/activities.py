"""The step that records the result of a retried rollback."""

from dapr.ext.workflow import WorkflowActivityContext

from orders.attention.service import Attention
from orders.ordering.messages import Retried


class AttentionActivities:
    """The activity; its method has the name that the engine knows."""

    def __init__(self, attention: Attention) -> None:
        self._attention = attention

    async def conclude_retry_activity(self, _: WorkflowActivityContext, retried: Retried) -> None:
        """Record the result of the retry. The order keeps its final status."""
        await self._attention.conclude(retried)
