"""Batches: many orders at once, and their results."""

from enum import StrEnum
from typing import Annotated, Any

from pydantic import Field

from orderflow_contracts.fields import Message, Moment, OrderId
from orderflow_contracts.orders import OrderStatus


class BatchSubmitted(Message):
    """Topic `orders.batch-submitted`: 1 to 500 orders to process together.

    Each entry has the form of `orders.submitted`. Entries are validated one by one, because an
    invalid one is rejected without the others. An entry without an `order_id` gets
    `<batch_id>-<n>`, n from 1.
    """

    batch_id: OrderId
    orders: Annotated[tuple[Any, ...], Field(min_length=1, max_length=500)]


class BatchStatus(StrEnum):
    """The status of a batch; `rejected` if none of its entries became an order."""

    RECEIVED = "received"
    RUNNING = "running"
    COMPLETED = "completed"
    REJECTED = "rejected"

    @property
    def is_final(self) -> bool:
        """Whether a batch with this status has ended."""
        return self in (BatchStatus.COMPLETED, BatchStatus.REJECTED)


class BatchStatusChanged(Message):
    """Topic `orders.batch-status`: a batch has ended, with these results.

    `counts` has the number of orders by status, `total_cents` the total of the completed ones.
    """

    batch_id: OrderId
    status: BatchStatus
    reason: str | None = None
    total: int
    counts: dict[OrderStatus, int]
    total_cents: int
    created_at: Moment
    ended_at: Moment | None = None

    @property
    def event_id(self) -> str:
        """The id of the CloudEvent with this status."""
        return f"{self.batch_id}.ended"


class BatchedOrder(Message):
    """An entry of a batch: its order, or why it was rejected, possibly without an id."""

    order_id: str | None = None
    status: OrderStatus
    reason: str | None = None
    total_cents: int | None = None


class Batch(BatchStatusChanged):
    """A batch as the API of orders shows it."""

    orders: tuple[BatchedOrder, ...] = ()
