"""The inputs and results of a stock monitor and its activities."""

from datetime import datetime

from orderflow_workflow_runtime.authoring.payload import Payload
from orders.domain import is_low


class Monitored(Payload):
    """The input of a stock monitor: its item, and whether low stock was already reported."""

    item: str
    is_low: bool = False


class StockLevel(Payload):
    """Result of `check_stock_activity`: the quantity available, and the current configuration.

    `threshold` is None if the item is no longer monitored, and `available` is None if inventory
    does not have it. The pauses are in seconds.
    """

    item: str
    available: int | None
    threshold: int | None
    pause_seconds: float
    low_pause_seconds: float
    checked_at: datetime

    @property
    def is_low(self) -> bool:
        """Whether less is available than the threshold."""
        return is_low(self.available or 0, self.threshold or 0)
