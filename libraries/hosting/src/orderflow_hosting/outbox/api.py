"""The HTTP API of the outbox, read-only."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, Field

from orderflow_contracts.fields import Clock, now
from orderflow_hosting.access import reads
from orderflow_hosting.database import Database
from orderflow_hosting.outbox.table import MOST_COUNTED, backlog_within


class Backlog(BaseModel):
    """What a service has promised to publish, and the broker does not have yet."""

    messages: Annotated[int, Field(description=f"The messages, counted up to {MOST_COUNTED:,}")]
    oldest_at: Annotated[datetime | None, Field(description="When the oldest was written")] = None
    age_seconds: Annotated[float, Field(description="The age of the oldest")] = 0.0


def outbox_router(database: Database, clock: Clock = now) -> APIRouter:
    """Serve the backlog of the outbox."""
    router = APIRouter(tags=["outbox"])

    @router.get(
        "/outbox",
        summary="Count the messages that wait to be published, and show since when",
        dependencies=[reads()],
    )
    async def read_outbox() -> Backlog:
        count, oldest_at = await database.read(backlog_within)
        age = 0.0 if oldest_at is None else max((clock() - oldest_at).total_seconds(), 0.0)
        return Backlog(messages=count, oldest_at=oldest_at, age_seconds=round(age, 3))

    return router
