"""Batches: many orders at once, and how they fared."""

from enum import StrEnum
from typing import Annotated, Any

from pydantic import Field

from orderflow_contracts.fields import Message, Moment, OrderId
from orderflow_contracts.orders import OrderStatus


class BatchSubmitted(Message):
    """Topic `orders.batch-submitted`: somebody wants 1 to 500 orders carried out together.

    Each entry is what `orders.submitted` takes. One that is not valid is refused by itself, so
    they are read one by one. An entry without an `order_id` gets `<batch_id>-<n>`, n from 1.
    """

    batch_id: OrderId
    orders: Annotated[tuple[Any, ...], Field(min_length=1, max_length=500)]


class BatchStatus(StrEnum):
    """Where a batch is; `rejected` when none of its entries could be taken as an order."""

    RECEIVED = "received"
    RUNNING = "running"
    COMPLETED = "completed"
    REJECTED = "rejected"

    @property
    def is_final(self) -> bool:
        """Whether a batch with this status has ended."""
        return self in (BatchStatus.COMPLETED, BatchStatus.REJECTED)


class BatchStatusChanged(Message):
    """Topic `orders.batch-status`: a batch has ended, and this came of it.

    `counts` tells how many orders have which status, `total_cents` what the completed ones cost.
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
        """The id of the CloudEvent that carries this."""
        return f"{self.batch_id}.ended"


class BatchedOrder(Message):
    """An entry of a batch: the order that it made, or the refusal; then the id may be missing."""

    order_id: str | None = None
    status: OrderStatus
    reason: str | None = None
    total_cents: int | None = None


class Batch(BatchStatusChanged):
    """A batch as orders answers it over HTTP."""

    orders: tuple[BatchedOrder, ...] = ()
