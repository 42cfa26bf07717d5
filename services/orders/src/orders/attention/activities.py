"""The step that ends a further try to undo an order."""

from dapr.ext.workflow import WorkflowActivityContext

from orders.attention.service import Attention
from orders.ordering.messages import Retried


class AttentionActivities:
    """The activity, named as the engine knows it."""

    def __init__(self, attention: Attention) -> None:
        self._attention = attention

    async def conclude_retry_activity(self, _: WorkflowActivityContext, retried: Retried) -> None:
        """Note how the try came out, beside the order, whose final status stays."""
        await self._attention.conclude(retried)
