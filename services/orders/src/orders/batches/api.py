"""The topic and the HTTP API of batches."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path

from orderflow_contracts import names
from orderflow_contracts.batches import Batch, BatchSubmitted, BatchSummary
from orderflow_contracts.fields import readable_order_id
from orderflow_hosting.access import reads
from orderflow_hosting.dead_letters import Known
from orderflow_hosting.events import Event
from orderflow_hosting.pages import After, Limit, Page, number_after, numbered_page
from orderflow_hosting.problems import Problem, documented
from orderflow_hosting.topics import Refused, Topics, parse
from orders.batches.records import OtherBatchContent
from orders.batches.service import Batches
from orders.batches.store import BatchStore


def subscribe_to_batches(topics: Topics, batches: Batches) -> None:
    """Accept batches from the topic."""

    async def submitted(event: Event) -> None:
        try:
            await batches.submit(parse(BatchSubmitted, event))
        except OtherBatchContent as error:
            raise Refused(str(error)) from error

    async def find(event: Event) -> Known | None:
        content = event.content if isinstance(event.content, dict) else {}
        batch_id = readable_order_id({"order_id": content.get("batch_id")})
        batch = None if batch_id is None else await batches.batch(batch_id)
        return None if batch is None else Known("batch", batch.batch_id, batch.status)

    topics.subscribe(names.ORDERS_BATCH_SUBMITTED, submitted, find)


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
    async def list_batches(limit: Limit = 100, after: After = None) -> Page[BatchSummary]:
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
