"""The names of workflows, activities and events in the engine and in histories.

They are stored in the histories of running instances: never change one, add a new one.
"""

from typing import Final

ORDER_PROCESSING: Final = "order_processing_workflow"
ORDER_UNDO: Final = "order_undo_workflow"
INTERACTIVE_HELLO: Final = "interactive_hello_workflow"
NEVER_ENDING: Final = "never_ending_workflow"
STOCK_MONITOR: Final = "stock_monitor_workflow"

ORDER_BATCH: Final = "order_batch_workflow"

ORDER_WORKFLOWS: Final = frozenset({ORDER_PROCESSING, ORDER_UNDO, ORDER_BATCH})
"""The workflows of orders, which only the service itself starts."""

TASK_PROCESSING: Final = "task_processing_workflow"

PICK_PREFIX: Final = "pick."
"""The prefix of the instance ids of orders' tasks; no order's own id can contain the dot."""

PICK_TASK_PREFIX: Final = "pick-"
"""The prefix of the ids of orders' tasks."""
OPEN_BATCH: Final = "open_batch_activity"
CONCLUDE_BATCH: Final = "conclude_batch_activity"

BATCH_ACTIVITIES: Final = (OPEN_BATCH, CONCLUDE_BATCH)

INTERACTIVE_HELLO_STEP: Final = "interactive_hello_activity"
HELLO_ACTIVITIES: Final = (INTERACTIVE_HELLO_STEP,)

CHECK_STOCK: Final = "check_stock_activity"
REPORT_LOW_STOCK: Final = "report_low_stock_activity"

MONITOR_ACTIVITIES: Final = (CHECK_STOCK, REPORT_LOW_STOCK)

CANCEL_REQUESTED: Final = "cancel_requested"
APPROVAL_EVENT: Final = "approvalEvent"
CHECK_NOW: Final = "check_now"

VALIDATE_TASK: Final = "validate_task"
ASSIGN_TASK: Final = "assign_task"
NOTIFY_TIMEOUT: Final = "notify_timeout"
SEND_COMPLETION: Final = "send_completion_notification"
END_TASK: Final = "end_task"

TASK_ACTIVITIES: Final = (
    VALIDATE_TASK,
    ASSIGN_TASK,
    NOTIFY_TIMEOUT,
    SEND_COMPLETION,
    END_TASK,
)

CONCLUDE_RETRY: Final = "conclude_retry_activity"

ATTENTION_ACTIVITIES: Final = (CONCLUDE_RETRY,)

TASK_COMPLETED: Final = "task_completed"
TASK_WITHDRAWN: Final = "task_withdrawn"
ORDER_WAITS: Final = "order_waits"
