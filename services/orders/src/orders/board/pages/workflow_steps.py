"""The contents of a workflow's pages: possible actions, pages of its history, and events."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

from orderflow_workflow_runtime.instances import HistoryEvent, Instance, RuntimeStatus
from orders import workflow_names as names
from orders.management.api_types import read_payload

EVENTS_ON_A_PAGE: Final = 100
MAX_PAYLOAD: Final = 64 * 1024
LONGEST_EVENT_NAME: Final = 200

EVENTS: Final[Mapping[str, Sequence[str]]] = {
    names.INTERACTIVE_HELLO: (names.APPROVAL_EVENT,),
    names.STOCK_MONITOR: (names.CHECK_NOW,),
    names.TASK_PROCESSING: (names.TASK_COMPLETED, names.TASK_WITHDRAWN),
}
"""The events that these workflows wait for."""


def url_of(instance_id: str) -> str:
    """Return the path of an instance's page."""
    return f"/board/workflows/{quote(instance_id, safe='')}"


def possible(instance: Instance) -> frozenset[str]:
    """Return the actions that an instance with this status allows."""
    status = instance.runtime_status
    if status.is_finished:
        return frozenset({"purge"})
    actions = {"resume" if status is RuntimeStatus.SUSPENDED else "pause"}
    if instance.name != names.ORDER_UNDO:
        actions.add("terminate")
    if instance.name not in names.ORDER_WORKFLOWS:
        actions.add("raise")
    return frozenset(actions)


def force_of(instance: Instance) -> bool:
    """Whether terminating an instance rolls back orders, which its page must then say."""
    return instance.name in {names.ORDER_PROCESSING, names.ORDER_BATCH}


@dataclass(frozen=True)
class StepsOnAPage:
    """A page of a history, newest event first, and where the older events begin."""

    events: Sequence[HistoryEvent]
    total: int
    older: int | None
    is_first: bool

    @classmethod
    def of(cls, history: Sequence[HistoryEvent], before: int | None) -> "StepsOnAPage":
        """Return the last events of a history, or those before a position in it."""
        end = min(len(history) if before is None else before, len(history))
        start = max(0, end - EVENTS_ON_A_PAGE)
        return cls(
            events=history[start:end][::-1],
            total=len(history),
            older=start or None,
            is_first=before is None,
        )


class RaiseForm:
    """An event as it was typed: its name, and optionally its payload as JSON."""

    def __init__(self, event: str | None = None, payload: str | None = None) -> None:
        self.was_sent = event is not None
        self.event = (event or "").strip()
        self.payload = payload or ""
        self.value: Any = None
        self.errors: dict[str, str] = {}
        if self.was_sent:
            self._check()

    def _check(self) -> None:
        if not self.event or len(self.event) > LONGEST_EVENT_NAME or "/" in self.event:
            self.errors["event"] = (
                f"Enter an event name of at most {LONGEST_EVENT_NAME} characters, without a slash."
            )
        if len(self.payload.encode(errors="replace")) > MAX_PAYLOAD:
            self.errors["payload"] = f"The payload must not exceed {MAX_PAYLOAD:,} bytes."
            return
        try:
            self.value = read_payload(json.loads(self.payload)) if self.payload.strip() else None
        except (ValueError, RecursionError) as error:
            where = f": {error}" if isinstance(error, json.JSONDecodeError) else ""
            self.errors["payload"] = f"The payload is not valid JSON{where}."
