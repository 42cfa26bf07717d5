"""The inputs and results of the batch workflow and its activities."""

from orderflow_workflow_runtime.authoring.payload import Payload
from orders.ordering.messages import OrderPolicy


class BatchRun(OrderPolicy):
    """The input of a batch's workflow: the batch, and the configuration at its start.

    `parallelism` limits how many orders run at a time; one that waits for a person does not count.
    `starts_at_once` limits how many are started after each event; 0 means no limit, as in batches
    of earlier versions.
    """

    batch_id: str
    parallelism: int
    starts_at_once: int = 0


class BatchRef(Payload):
    """Input of the activities of a batch."""

    batch_id: str


class BatchOrderRun(Payload):
    """An order that a batch has to run, and the id of that run."""

    order_id: str
    run_id: str


class BatchOpened(Payload):
    """Result of `open_batch_activity`: the orders that have not run yet."""

    orders: tuple[BatchOrderRun, ...]


class BatchConcluded(Payload):
    """Result of `conclude_batch_activity`: whether the batch's end is recorded and published."""

    has_ended: bool
