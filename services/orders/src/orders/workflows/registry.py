"""Every workflow by the name under which the engine knows it: for the worker, and for replays."""

from collections.abc import Callable, Generator, Mapping
from typing import Any, Final

from orders.workflows import names
from orders.workflows.counter import never_ending_workflow
from orders.workflows.hello import interactive_hello_workflow
from orders.workflows.order_batch import order_batch_workflow
from orders.workflows.order_processing import order_processing_workflow
from orders.workflows.order_undo import order_undo_workflow
from orders.workflows.stock_monitor import stock_monitor_workflow
from orders.workflows.task_processing import task_processing_workflow
from orders.workflows.tasks import Task

Workflow = Callable[..., Generator[Task[Any], Any, Any]]

WORKFLOWS: Final[Mapping[str, Workflow]] = {
    names.ORDER_PROCESSING: order_processing_workflow,
    names.ORDER_UNDO: order_undo_workflow,
    names.ORDER_BATCH: order_batch_workflow,
    names.INTERACTIVE_HELLO: interactive_hello_workflow,
    names.NEVER_ENDING: never_ending_workflow,
    names.STOCK_MONITOR: stock_monitor_workflow,
    names.TASK_PROCESSING: task_processing_workflow,
}
