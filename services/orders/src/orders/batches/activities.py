"""The steps of a batch's workflow."""

from dapr.ext.workflow import WorkflowActivityContext

from orders.batches.messages import BatchConcluded, BatchOpened, BatchOrderRun, BatchRef
from orders.batches.service import Batches


class BatchActivities:
    """The activities; each method has the name that the engine knows."""

    def __init__(self, batches: Batches) -> None:
        self._batches = batches

    async def open_batch_activity(self, _: WorkflowActivityContext, batch: BatchRef) -> BatchOpened:
        """Mark the batch as running and return the orders to run."""
        left = await self._batches.left_to_run(batch.batch_id)
        return BatchOpened(
            orders=tuple(BatchOrderRun(order_id=each.order_id, run_id=each.run_id) for each in left)
        )

    async def conclude_batch_activity(
        self, _: WorkflowActivityContext, batch: BatchRef
    ) -> BatchConcluded:
        """End the batch if all its orders have ended."""
        return BatchConcluded(has_ended=await self._batches.conclude(batch.batch_id))
