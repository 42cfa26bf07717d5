"""What the store of batches takes and returns."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from orderflow_contracts.batches import BatchStatus
from orderflow_contracts.orders import OrderSubmitted
from orders.ordering.records import StoredChange


class OtherBatchContent(Exception):
    """The id belongs to a batch with different content. The two are never merged."""

    def __init__(self, batch_id: str) -> None:
        super().__init__(f"batch {batch_id} exists with other content")


@dataclass(frozen=True)
class Entry:
    """One entry of a batch: its number from 1, the data sent, and the order or the error in it.

    `refused` is the reason for which it is refused, and `detail` explains that in sentences for
    people.
    """

    number: int
    data: Any
    order_id: str | None
    order: OrderSubmitted | None = None
    fault: str = ""
    detail: str | None = None
    refused: str | None = None


@dataclass(frozen=True)
class StoredBatch:
    """The result of storing a batch: its refused entries and its orders' first statuses."""

    is_new: bool
    status: BatchStatus
    is_stopped: bool
    refused: Sequence[Entry] = ()
    first: Sequence[StoredChange] = field(default=())


@dataclass(frozen=True)
class OpenOrder:
    """An unfinished order of a batch, and the run that may act for it."""

    order_id: str
    run_id: str


@dataclass(frozen=True)
class OpenBatch:
    """An unfinished batch; `stopped_as` is the reason if it was stopped."""

    batch_id: str
    status: BatchStatus
    stopped_as: str | None


def run_id_of(batch_id: str, order_id: str) -> str:
    """Return the id of the first run of an order in a batch."""
    return hashlib.sha256(f"{batch_id}/{order_id}".encode()).hexdigest()[:32]


def digest_of(entries: Iterable[Entry]) -> str:
    """Return a digest of what was sent, so that the same batch is recognised.

    Defaults are left out: a field that a later version adds does not change the digest.
    """
    content = [
        entry.data
        if entry.order is None
        else entry.order.model_dump(mode="json", exclude_defaults=True)
        for entry in entries
    ]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
