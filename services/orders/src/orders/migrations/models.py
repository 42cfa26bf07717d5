"""The models with which the revisions must agree."""

from typing import Final

# Each of these modules adds its tables to those that the packages share.
from orderflow_hosting.migrations.schema import HOUSEKEEPING
from orders.attention import store as attention
from orders.board import tables as board
from orders.payments import store as payments
from orders.tables import TABLES
from orders.tasks import store as tasks

MODELS: Final = (TABLES, HOUSEKEEPING)
__all__ = ["MODELS", "attention", "board", "payments", "tasks"]
