"""The saved histories of instances that were replaced."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from pydantic import AwareDatetime, BaseModel
from sqlalchemy import Connection, bindparam, delete, insert, select

from orderflow_hosting.database import Database
from orders.tables import SAVED_HISTORIES

KEPT: Final = timedelta(days=30)
"""Saved histories are deleted after this time, when another one is saved."""


@dataclass(frozen=True)
class Replaced:
    """Why an instance is replaced, and its events as far as they could be read."""

    why: str
    events: tuple[dict[str, Any], ...] = field(default=(), repr=False)


class SavedHistory(BaseModel):
    """The history of an instance that was replaced because it could not go on.

    `events` are the engine's, oldest first; none if it could not read them.
    """

    instance_id: str
    run_id: str | None
    saved_at: AwareDatetime
    why: str
    events: list[dict[str, Any]]


class SavedHistories:
    """Reads the saved histories, and saves those of instances that are not an order's."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def of(self, instance_id: str) -> list[SavedHistory]:
        """Return the saved histories of an instance, oldest first."""
        rows = await self._database.read(
            lambda connection: connection.execute(_SELECT, {"key": instance_id}).all()
        )
        return [SavedHistory.model_validate(row, from_attributes=True) for row in rows]

    async def save(self, instance_id: str, replaced: Replaced, at: datetime) -> None:
        """Save the history of an instance."""
        await self._database.write(
            lambda connection: save_within(connection, instance_id, None, replaced, at)
        )


def save_within(
    connection: Connection,
    instance_id: str,
    run_id: str | None,
    replaced: Replaced,
    at: datetime,
) -> None:
    """Save the history of a run, and delete those that are too old."""
    connection.execute(delete(SAVED_HISTORIES).where(SAVED_HISTORIES.c.saved_at < at - KEPT))
    connection.execute(
        _INSERT,
        {
            "instance_id": instance_id,
            "run_id": run_id,
            "saved_at": at,
            "why": replaced.why,
            "events": list(replaced.events),
        },
    )


_INSERT: Final = insert(SAVED_HISTORIES)
_SELECT: Final = (
    select(SAVED_HISTORIES)
    .where(SAVED_HISTORIES.c.instance_id == bindparam("key"))
    .order_by(SAVED_HISTORIES.c.number)
)
