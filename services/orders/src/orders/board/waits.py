"""The wait for a decision, as an entry of an order's timeline."""

from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from orderflow_contracts.names import APPROVAL_DECIDED
from orderflow_workflow_runtime.instances import HistoryEvent
from orders import workflow_names as names
from orders.board.entries import Entry, Kind, State

_TERMINATED: Final = "The workflow was terminated during the wait."


class DecisionWait:
    """Reads one history, and creates the entry for its wait for a decision, if there is one."""

    def __init__(self) -> None:
        self._since: datetime | None = None
        self._raised: dict[str, Any] = {}
        self._is_terminated = False

    def take(self, event: HistoryEvent) -> None:
        """Record an event that may end the wait."""
        if event.type == "event_raised":
            self._raised[event.name or ""] = event.input
        elif event.type == "workflow_terminated":
            self._is_terminated = True

    def begin(self, at: datetime) -> None:
        """Begin the wait when the decision has been requested."""
        self._since = at

    def end(self, at: datetime) -> Entry | None:
        """End the wait and return its entry, if it was in progress."""
        entry = self._entry()
        if entry is None or self._since is None:
            return None
        seconds = max((at - self._since).total_seconds(), 0.0)
        self._since = None
        return replace(entry, seconds=seconds, note=self._note())

    def unfinished(self, *, is_over: bool) -> Entry | None:
        """Return the entry of a wait in progress; `is_over` if the order has ended."""
        entry = self._entry()
        if entry is None:
            return None
        if is_over:
            return replace(entry, state=State.STOPPED, note=_TERMINATED)
        return replace(entry, title="Waiting for approval", state=State.RUNNING)

    def _entry(self) -> Entry | None:
        return Entry(self._since, Kind.WAIT, "Waited for approval") if self._since else None

    def _note(self) -> str:
        if self._is_terminated:
            return _TERMINATED
        decision = self._raised.get(APPROVAL_DECIDED)
        if isinstance(decision, dict) and isinstance(decision.get("approved"), bool):
            verb = "Approved" if decision["approved"] else "Denied"
            by = f" by {decision['approver']}" if decision.get("approver") else ""
            comment = f": “{decision['comment']}”" if decision.get("comment") else "."
            return f"{verb}{by}{comment}"
        if names.CANCEL_REQUESTED in self._raised:
            return "Cancellation was requested."
        return "No decision was made in time."
