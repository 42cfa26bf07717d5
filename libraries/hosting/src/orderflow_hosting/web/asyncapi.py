"""The description of the platform's topics and events, beside that of the HTTP API."""

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter

from orderflow_hosting.access import reads


def asyncapi_router(document: Mapping[str, Any]) -> APIRouter:
    """Serve an AsyncAPI document."""
    router = APIRouter(tags=["events"])

    @router.get(
        "/asyncapi",
        summary="Describe all topics and their events, as an AsyncAPI document",
        dependencies=[reads()],
    )
    async def asyncapi() -> dict[str, Any]:
        return {**document}

    return router
