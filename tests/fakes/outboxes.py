"""What services have promised to publish, and failures to promise."""

from importlib import import_module
from typing import Any

import pytest

from orderflow_hosting.database import Database
from orderflow_hosting.outbox.table import waiting_within


class Owed:
    """Reads a service's outbox."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @property
    def published(self) -> list[tuple[str, bytes]]:
        """The topics and events of all messages, in the sequence of the promises."""
        with self._database._engine.connect() as connection:
            waiting = waiting_within(connection, 0, 10_000)
        return [(each.topic, each.event) for each in waiting]


def fail_once(monkeypatch: pytest.MonkeyPatch, function: str, error: Exception) -> None:
    """Let the next call of a function, named by its path, raise the error."""
    module, _, name = function.rpartition(".")
    real = getattr(import_module(module), name)
    errors = [error]

    def fail(*given: Any, **named: Any) -> Any:
        if errors:
            raise errors.pop()
        return real(*given, **named)

    monkeypatch.setattr(function, fail)
