"""Serves the saved histories of instances that were replaced."""

from fastapi import APIRouter

from orderflow_hosting.access import reads
from orderflow_hosting.pages import Page
from orders.saved_histories import SavedHistories, SavedHistory


def saved_history_router(histories: SavedHistories) -> APIRouter:
    """Serve the saved histories."""
    router = APIRouter(prefix="/workflows", tags=["workflows"])

    @router.get(
        "/{instance_id}/saved-histories",
        summary="Read the histories of an instance that was replaced because it could not go on",
        dependencies=[reads()],
    )
    async def saved_histories(instance_id: str) -> Page[SavedHistory]:
        return Page(items=await histories.of(instance_id), next=None)

    return router
