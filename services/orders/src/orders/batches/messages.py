"""The inputs and results of the batch workflow and its activities."""

from orderflow_workflow_runtime.authoring.payload import Payload
from orders.ordering.messages import OrderPolicy


class BatchRun(OrderPolicy):
    """The input of a batch's workflow: the batch, and the configuration at its start.

    `parallelism` limits how many orders run at a time; one that waits for a person does not count.
    `starts_at_once` limits how many are started at once; 0 means no limit. With
    `saves_after_starts`, the engine saves the batch before the next ones are started; else a turn
    with several events starts more. Batches of earlier versions have neither.
    """

    batch_id: str
    parallelism: int
    starts_at_once: int = 0
    saves_after_starts: bool = False


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
