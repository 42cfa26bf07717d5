"""All workflows by their names in the engine, for the worker and for replays."""

from collections.abc import Mapping
from typing import Final

from orderflow_workflow_runtime.authoring.tasks import Workflow
from orders import workflow_names as names
from orders.batches.workflow import order_batch_workflow
from orders.management.counter_workflow import never_ending_workflow
from orders.management.hello_workflow import interactive_hello_workflow
from orders.ordering.undo_workflow import order_undo_workflow
from orders.ordering.workflow import order_processing_workflow
from orders.stock.workflow import stock_monitor_workflow
from orders.tasks.workflow import task_processing_workflow

WORKFLOWS: Final[Mapping[str, Workflow]] = {
    names.ORDER_PROCESSING: order_processing_workflow,
    names.ORDER_UNDO: order_undo_workflow,
    names.ORDER_BATCH: order_batch_workflow,
    names.INTERACTIVE_HELLO: interactive_hello_workflow,
    names.NEVER_ENDING: never_ending_workflow,
    names.STOCK_MONITOR: stock_monitor_workflow,
    names.TASK_PROCESSING: task_processing_workflow,
}
