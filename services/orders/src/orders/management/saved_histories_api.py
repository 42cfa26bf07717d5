"""Serves the saved histories of instances that were replaced."""

from fastapi import APIRouter

from orderflow_hosting.access import reads
from orderflow_hosting.pages import Page
from orderflow_hosting.problems import Problem, documented
from orders.management.api_types import InstanceId
from orders.saved_histories import SavedHistories, SavedHistory


def saved_history_router(histories: SavedHistories) -> APIRouter:
    """Serve the saved histories."""
    router = APIRouter(prefix="/workflows", tags=["workflows"])

    @router.get(
        "/{instance_id}/saved-histories",
        summary="Read the histories of an instance that was replaced because it could not go on",
        responses=documented({404: "No instance with this id was replaced"}),
        dependencies=[reads()],
    )
    async def saved_histories(instance_id: InstanceId) -> Page[SavedHistory]:
        saved = await histories.of(instance_id)
        if not saved:
            raise Problem(404, "WORKFLOW_NOT_FOUND", f"no instance {instance_id} was replaced")
        return Page(items=saved, next=None)

    return router
