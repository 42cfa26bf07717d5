"""What a stock monitor is started with, and what its activities return."""

from datetime import datetime

from orderflow_workflow_runtime.authoring.payload import Payload
from orders.domain import is_low


class Monitored(Payload):
    """The input of a stock monitor: its item, and whether it has told that little is left."""

    item: str
    is_low: bool = False


class StockLevel(Payload):
    """Result of `check_stock_activity`: what is there, and how the service wants it watched.

    `threshold` is None when the item is not to be watched any more, and `available` when
    inventory does not know it. The pauses are in seconds.
    """

    item: str
    available: int | None
    threshold: int | None
    pause_seconds: float
    low_pause_seconds: float
    checked_at: datetime

    @property
    def is_low(self) -> bool:
        """Whether fewer pieces are available than the threshold."""
        return is_low(self.available or 0, self.threshold or 0)
