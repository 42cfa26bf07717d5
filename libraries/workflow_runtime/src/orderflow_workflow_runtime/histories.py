"""Recorded histories: the engine's events of one instance, as a file."""

from datetime import datetime
from typing import Any, Self

from dapr.ext.workflow._durabletask.internal import protos
from google.protobuf import json_format
from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError


class HistoryUnavailable(Exception):
    """A history could not be read; the message says which, and why."""


class NoHistory(HistoryUnavailable):
    """There is no such instance, or it has not started."""


class Recording(BaseModel):
    """The history of one instance at one moment: all its events."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    instance_id: str
    workflow: str
    recorded_at: AwareDatetime
    versions: dict[str, str] = {}
    events: tuple[dict[str, Any], ...]

    @classmethod
    def of(
        cls, instance_id: str, events: list[Any], versions: dict[str, str], at: datetime
    ) -> Self:
        """Create a recording of these events of the engine."""
        started = [event.executionStarted.name for event in events if _starts(event)]
        return cls(
            instance_id=instance_id,
            workflow=started[-1] if started else "",
            recorded_at=at,
            versions=versions,
            events=tuple(json_format.MessageToDict(event) for event in events),
        )

    @classmethod
    def read(cls, text: str | bytes, source: str) -> Self:
        """Read a recording from the content of a file. Raises `HistoryUnavailable`."""
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            what = error.errors()[0]
            where = ".".join(map(str, what["loc"]))
            raise HistoryUnavailable(
                f"{source} is not a recorded history: {where + ': ' if where else ''}{what['msg']}"
            ) from error

    def history(self) -> list[Any]:
        """Return the events as messages of the engine. Raises `HistoryUnavailable`."""
        try:
            return [
                json_format.ParseDict(event, protos.HistoryEvent(), ignore_unknown_fields=True)
                for event in self.events
            ]
        except json_format.ParseError as error:
            raise HistoryUnavailable(f"{self.instance_id}: {error}") from error


def _starts(event: Any) -> bool:
    return bool(event.WhichOneof("eventType") == "executionStarted")
