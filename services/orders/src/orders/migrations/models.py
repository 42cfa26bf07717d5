"""The models with which the revisions must agree."""

# Each of these modules adds its tables.
from orderflow_hosting.database import HOUSEKEEPING
from orders import attention_store, board_tables, payments, task_store
from orders.store import TABLES

MODELS = (TABLES, HOUSEKEEPING)
__all__ = ["MODELS", "attention_store", "board_tables", "payments", "task_store"]
