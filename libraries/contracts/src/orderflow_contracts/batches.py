"""Batches: many orders at once, and their results."""

from enum import StrEnum
from typing import Annotated, Any, Final

from pydantic import Field

from orderflow_contracts.fields import Message, Moment, OrderId
from orderflow_contracts.orders import OrderStatus

MOST_NAMED_REFUSALS: Final = 100
"""How many refused entries the event about a batch's end names, so that brokers can carry it."""


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


class BatchedOrder(Message):
    """An entry of a batch: its order, or why the entry was refused, possibly without an id.

    `number` is its position, from 1. `detail` explains the status or the refusal in a sentence.
    Services of earlier versions send neither.
    """

    number: Annotated[int | None, Field(exclude_if=lambda number: number is None)] = None
    order_id: str | None = None
    status: OrderStatus
    reason: str | None = None
    detail: Annotated[str | None, Field(exclude_if=lambda detail: detail is None)] = None
    total_cents: int | None = None


class BatchSummary(Message):
    """A batch without its orders.

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


class BatchStatusChanged(BatchSummary):
    """Topic `orders.batch-status`: a batch has ended, with these results.

    `counts` has the number of orders by status, `total_cents` the total of the completed ones.
    `refused` has the first 100 entries that did not become orders; the API shows them all.
    """

    refused: Annotated[
        tuple[BatchedOrder, ...],
        Field(max_length=MOST_NAMED_REFUSALS, exclude_if=lambda refused: not refused),
    ] = ()

    @property
    def event_id(self) -> str:
        """The id of the CloudEvent with this status."""
        return f"{self.batch_id}.ended"


class Batch(BatchSummary):
    """A batch as the API of orders shows it."""

    orders: tuple[BatchedOrder, ...] = ()
