"""The topic and the HTTP API of batches."""

from typing import Annotated

from cloudevents.http import CloudEvent
from fastapi import APIRouter, Depends, Path
from pydantic import ValidationError

from orderflow_contracts import names
from orderflow_contracts.batches import Batch, BatchStatusChanged, BatchSubmitted
from orderflow_contracts.fields import readable_order_id
from orderflow_hosting.access import reads
from orderflow_hosting.dapr_app import DaprApp, Refused
from orderflow_hosting.dead_letters import DeadLetters
from orderflow_hosting.pages import After, Limit, Page, number_after, numbered_page
from orderflow_hosting.problems import Problem, describe, documented
from orders.batches.records import OtherBatchContent
from orders.batches.service import Batches
from orders.batches.store import BatchStore


def subscribe_to_batches(app: DaprApp, batches: Batches, dead_letters: DeadLetters) -> None:
    """Accept batches from the topic."""

    async def submitted(event: CloudEvent) -> None:
        reason = await _submit(batches, event.data)
        if reason is not None:
            await dead_letters.refuse(names.ORDERS_BATCH_SUBMITTED, event, reason, None)
            raise Refused(reason)

    app.on_topic(names.ORDERS_BATCH_SUBMITTED, submitted)


async def _submit(batches: Batches, data: object) -> str | None:
    """Submit a published batch, or return the reason why it is invalid."""
    try:
        batch = BatchSubmitted.model_validate(data)
    except ValidationError as error:
        return f"invalid: {describe(error)}"
    try:
        await batches.submit(batch)
    except OtherBatchContent as error:
        return str(error)
    return None


def possible_batch_id(
    batch_id: Annotated[str, Path(description="The batch's id", examples=["monday-1"])],
) -> str:
    """Return the id if it has the form of a batch id; otherwise raise a 404 problem."""
    if readable_order_id({"order_id": batch_id}) is None:
        raise _missing(batch_id)
    return batch_id


def batch_router(store: BatchStore) -> APIRouter:
    """Serve batches, read-only."""
    router = APIRouter(prefix="/batches", tags=["batches"], dependencies=[reads()])

    @router.get("", summary="List batches without their orders, newest first")
    async def list_batches(limit: Limit = 100, after: After = None) -> Page[BatchStatusChanged]:
        found = await store.batches(limit + 1, number_after(after))
        return numbered_page(found, limit)

    @router.get(
        "/{batch_id}",
        summary="Read a batch with its orders, as they are now",
        responses=documented({404: "There is no such batch"}),
    )
    async def read(batch_id: Annotated[str, Depends(possible_batch_id)]) -> Batch:
        batch = await store.batch(batch_id)
        if batch is None:
            raise _missing(batch_id)
        return batch

    return router


def _missing(batch_id: str) -> Problem:
    return Problem(404, "BATCH_NOT_FOUND", f"there is no batch {batch_id}")
