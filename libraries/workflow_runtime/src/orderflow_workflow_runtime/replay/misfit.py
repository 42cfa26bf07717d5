"""Where a history and the code differ."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Self

from orderflow_workflow_runtime.reading import event_type

AT_THE_END: Final = "end_of_history"
"""The type of a misfit after the last event."""


@dataclass(frozen=True)
class Misfit:
    """The first event that does not match the code, and what the code does instead.

    `number` is the position of the event, from one. It is one more than the number of events if the
    code does something after the last one. `event_id` is the engine's, if the event has one.
    """

    number: int
    event_id: int | None
    at: datetime
    type: str
    name: str | None
    instead: str

    @classmethod
    def of(cls, number: int, event: Any, instead: str) -> Self:
        """Return the misfit at an event of the engine."""
        kind = event.WhichOneof("eventType")
        payload: Any = getattr(event, kind) if kind else None
        return cls(
            number=number,
            event_id=event.eventId if event.eventId >= 0 else None,
            at=event.timestamp.ToDatetime(UTC),
            type=event_type(kind),
            name=getattr(payload, "name", "") or None,
            instead=instead,
        )

    def __str__(self) -> str:
        which = f" (id {self.event_id})" if self.event_id is not None else ""
        name = f" {self.name}" if self.name else ""
        at = self.at.isoformat(timespec="milliseconds")
        return f"event {self.number}{which} at {at}, {self.type}{name}: {self.instead}"
