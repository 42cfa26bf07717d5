"""The pages of batches: their progress and their orders."""

from typing import Annotated, Final

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from orderflow_contracts.batches import BatchSummary
from orderflow_contracts.orders import FINAL_STATUSES
from orderflow_hosting.access import page
from orderflow_hosting.pages import number_after, numbered_page
from orderflow_hosting.problems import Problem
from orderflow_hosting.web import Site
from orders.batches.api import possible_batch_id
from orders.batches.store import BatchStore

BATCHES_ON_A_PAGE: Final = 20


def batch_pages(site: Site, store: BatchStore) -> APIRouter:
    """Serve the list of batches and the page of each batch."""
    router = APIRouter(prefix="/board/batches", include_in_schema=False)

    @router.get("", dependencies=[page()])
    async def batches(request: Request, after: str | None = None) -> Response:
        found = await store.batches(BATCHES_ON_A_PAGE + 1, number_after(after))
        shown = numbered_page(found, BATCHES_ON_A_PAGE)
        return site.page(
            request,
            "batches.html",
            batches=[(batch, ended_orders(batch)) for batch in shown.items],
            next=shown.next,
            after=after,
        )

    @router.get("/{batch_id}", dependencies=[page()])
    async def batch(
        request: Request, batch_id: Annotated[str, Depends(possible_batch_id)]
    ) -> Response:
        found = await store.batch(batch_id)
        if found is None:
            raise Problem(404, "BATCH_NOT_FOUND", f"there is no batch {batch_id}")
        return site.page(request, "batch.html", batch=found, ended=ended_orders(found))

    return router


def ended_orders(batch: BatchSummary) -> int:
    """Count the orders of a batch that have ended, in any status."""
    return sum(count for status, count in batch.counts.items() if status in FINAL_STATUSES)
