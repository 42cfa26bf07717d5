"""What a batch's workflow is started with, and what goes to and comes from its activities."""

from orderflow_workflow_runtime.authoring.payload import Payload
from orders.ordering.messages import OrderPolicy


class BatchRun(OrderPolicy):
    """The input of a batch's workflow: which batch, and the configuration it goes by.

    So many orders are under way at a time; one that waits for a person does not count.
    """

    batch_id: str
    parallelism: int


class BatchRef(Payload):
    """Input of the activities of a batch."""

    batch_id: str


class BatchOrderRun(Payload):
    """An order that a batch must run, and the name of that run."""

    order_id: str
    run_id: str


class BatchOpened(Payload):
    """Result of `open_batch_activity`: the orders that nobody has run yet."""

    orders: tuple[BatchOrderRun, ...]


class BatchConcluded(Payload):
    """Result of `conclude_batch_activity`: whether the batch's end is on record and told."""

    has_ended: bool
