"""Which dead letters to list."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

from sqlalchemy import ColumnElement, Table, or_

State = Literal["waiting", "resent", "discarded"]


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """Which dead letters to list; what is None does not matter.

    `reason` and `text` are parts of words, `text` of the reason, the event's id or its subject.
    """

    state: State | None = None
    topic: str | None = None
    reason: str | None = None
    text: str | None = None
    received_from: datetime | None = None
    received_before: datetime | None = None

    def conditions(self, table: Table) -> list[ColumnElement[bool]]:
        """Return the conditions on the columns of a table of dead letters."""
        columns = table.c
        conditions = _in_state(columns, self.state)
        if self.topic is not None:
            conditions.append(columns.topic == self.topic)
        if self.reason is not None:
            conditions.append(columns.reason.icontains(self.reason, autoescape=True))
        if self.text is not None:
            places = (columns.reason, columns.event_id, columns.subject)
            found = (place.icontains(self.text, autoescape=True) for place in places)
            conditions.append(or_(*found))
        if self.received_from is not None:
            conditions.append(columns.received_at >= self.received_from)
        if self.received_before is not None:
            conditions.append(columns.received_at < self.received_before)
        return conditions


EVERY_LETTER: Final = Wanted()


def _in_state(columns: Any, state: State | None) -> list[ColumnElement[bool]]:
    is_resent, is_discarded = columns.resent_at.is_not(None), columns.discarded_at.is_not(None)
    if state == "waiting":
        return [~is_resent, ~is_discarded]
    if state == "resent":
        return [is_resent]
    return [] if state is None else [is_discarded]
