"""The doctor of approvals: decisions that orders does not have, and what every service checks."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from sqlalchemy import select

from approvals.tables import COLUMNS, UNDELIVERED
from orderflow_contracts.doctor import DECISION_NOT_DELIVERED
from orderflow_contracts.fields import Clock, now
from orderflow_hosting.canary import Canary
from orderflow_hosting.database import Database
from orderflow_hosting.dead_letters import ParkedEvents
from orderflow_hosting.doctor import (
    Check,
    Disagreement,
    Look,
    UnhandledEvents,
    UnpublishedMessages,
)

PAGE: Final = 500
PATIENCE: Final = timedelta(seconds=60)


class UndeliveredDecisions:
    """Each decision was delivered to orders, or was made less than a minute ago."""

    name = "the decisions"
    pages_in_a_round = 1

    def __init__(self, database: Database, clock: Clock = now) -> None:
        self._database = database
        self._clock = clock

    async def page(self, after: str | None) -> Look:
        """Look at the next undelivered decisions by order id."""
        found = await self._find(after=after or "")
        following = found[-1][0] if len(found) == PAGE else None
        return Look([disagreement for _, disagreement in found], following)

    async def of(self, subject: str) -> Sequence[Disagreement]:
        """Look at the decision about one order."""
        return [disagreement for _, disagreement in await self._find(only=subject)]

    async def _find(
        self, *, after: str = "", only: str | None = None
    ) -> list[tuple[str, Disagreement]]:
        query = (
            select(COLUMNS.order_id, COLUMNS.decided_at)
            .where(UNDELIVERED, COLUMNS.order_id > after)
            .where(COLUMNS.decided_at < self._clock() - PATIENCE)
            .order_by(COLUMNS.order_id)
            .limit(PAGE)
        )
        if only is not None:
            query = query.where(COLUMNS.order_id == only)
        rows = await self._database.read(lambda connection: connection.execute(query).all())
        return [
            (
                row.order_id,
                Disagreement(
                    DECISION_NOT_DELIVERED,
                    f"order {row.order_id}",
                    f"it was decided at {row.decided_at.isoformat(timespec='seconds')}",
                ),
            )
            for row in rows
        ]


def checks_of(
    database: Database, parked: ParkedEvents, canary: Canary, clock: Clock = now
) -> tuple[Check, ...]:
    """Return everything that approvals compares."""
    return (
        UndeliveredDecisions(database, clock),
        UnpublishedMessages(database, clock),
        UnhandledEvents(parked, canary, clock),
    )
