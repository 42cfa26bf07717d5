"""The names under which workflows, activities and events are known to the engine and in history.

They are kept in the histories of running instances: never change one, add a new one.
"""

from typing import Final

ORDER_PROCESSING: Final = "order_processing_workflow"
ORDER_UNDO: Final = "order_undo_workflow"
INTERACTIVE_HELLO: Final = "interactive_hello_workflow"
NEVER_ENDING: Final = "never_ending_workflow"

ORDER_BATCH: Final = "order_batch_workflow"

ORDER_WORKFLOWS: Final = frozenset({ORDER_PROCESSING, ORDER_UNDO, ORDER_BATCH})
"""Those that belong to orders: they are started by the service alone."""

UNDO_PREFIX: Final = "undo-of-order-"
"""Begins the instance ids of those that undo an order."""

BATCH_PREFIX: Final = "batch-"
"""Begins the instance ids of those that carry out a batch."""

NOTIFY: Final = "notify_activity"
VERIFY_INVENTORY: Final = "verify_inventory_activity"
REQUEST_APPROVAL: Final = "request_approval_activity"
PROCESS_PAYMENT: Final = "process_payment_activity"
UPDATE_INVENTORY: Final = "update_inventory_activity"

RELEASE_INVENTORY: Final = "release_inventory_activity"
REFUND_PAYMENT: Final = "refund_payment_activity"
WITHDRAW_APPROVAL: Final = "withdraw_approval_activity"

ORDER_ACTIVITIES: Final = (
    NOTIFY,
    VERIFY_INVENTORY,
    REQUEST_APPROVAL,
    PROCESS_PAYMENT,
    UPDATE_INVENTORY,
    RELEASE_INVENTORY,
    REFUND_PAYMENT,
    WITHDRAW_APPROVAL,
)

OPEN_BATCH: Final = "open_batch_activity"
CONCLUDE_BATCH: Final = "conclude_batch_activity"

BATCH_ACTIVITIES: Final = (OPEN_BATCH, CONCLUDE_BATCH)

INTERACTIVE_HELLO_STEP: Final = "interactive_hello_activity"

CANCEL_REQUESTED: Final = "cancel_requested"
APPROVAL_EVENT: Final = "approvalEvent"
ORDER_WAITS: Final = "order_waits"
