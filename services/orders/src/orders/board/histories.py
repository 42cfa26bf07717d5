"""Reads the history of one workflow as entries of its order's timeline. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final

from orderflow_contracts.orders import OrderStatus
from orderflow_workflow_runtime.instances import HistoryEvent
from orders.board.entries import Attempt, Entry, Kind, State
from orders.board.waits import DecisionWait
from orders.ordering.actions import Action, Step
from orders.ordering.steps import ACTIONS, COMPENSATIONS, PUBLISH, REQUEST_APPROVAL

_MARKS: Final = {
    "workflow_suspended": "Paused by an operator",
    "workflow_resumed": "Resumed by an operator",
    "workflow_terminated": "Terminated by an operator",
}


def read_history(history: Sequence[HistoryEvent], *, is_over: bool) -> list[Entry]:
    """Return a workflow's history as entries, oldest first; `is_over` if its order has ended."""
    return _HistoryReader(is_over=is_over).read(history)


@dataclass
class _Run:
    """All attempts at one action of the history."""

    name: str
    action: Action
    payload: Any
    at: datetime
    attempts: list[Attempt] = field(default_factory=list)
    output: Any = None
    ended_at: datetime | None = None

    @property
    def may_be_retried(self) -> bool:
        return self.ended_at is None and self.attempts[-1].error is not None

    @property
    def is_awaited(self) -> bool:
        return not isinstance(self.action, Step) or self.action.is_awaited

    @property
    def seconds(self) -> float | None:
        """The time from the first attempt until the last one ended; None if it has not."""
        last = self.attempts[-1]
        if self.ended_at is not None:
            seconds = (self.ended_at - self.at).total_seconds()
        elif last.seconds is not None:
            seconds = (last.at - self.at).total_seconds() + last.seconds
        else:
            return None
        return max(seconds, 0.0)


class _HistoryReader:
    """Reads one history, and groups the attempts at the same action."""

    def __init__(self, *, is_over: bool) -> None:
        self._is_over = is_over
        self._runs: list[_Run] = []
        self._others: list[Entry] = []
        self._wait = DecisionWait()

    def read(self, history: Sequence[HistoryEvent]) -> list[Entry]:
        for event in history:
            self._take(event)
        self._add(self._wait.unfinished(is_over=self._is_over))
        runs = [self._entry(run) for run in self._runs]
        return sorted([*runs, *self._others], key=lambda entry: entry.at)

    def _take(self, event: HistoryEvent) -> None:
        self._wait.take(event)
        if event.is_call:
            self._begin(event)
        elif event.is_success or event.is_failure:
            self._end(event)
        elif event.type in _MARKS:
            self._add(Entry(event.at, Kind.MARK, _MARKS[event.type], state=State.STOPPED))
        elif event.type == "workflow_completed":
            self._add(self._wait.end(event.at))
            if event.error:
                failed = Entry(event.at, Kind.MARK, "The workflow failed", state=State.FAILED)
                self._add(replace(failed, note=event.error))

    def _add(self, entry: Entry | None) -> None:
        if entry is not None:
            self._others.append(entry)

    def _begin(self, event: HistoryEvent) -> None:
        name = event.name or ""
        run = self._last(name)
        if run is None or not run.may_be_retried or run.payload != event.input:
            action = ACTIONS.get(name) or Action(activity=name, name=name, done=name)
            run = _Run(name, action, event.input, event.at)
            self._runs.append(run)
        run.attempts.append(Attempt(event.at))
        if run.is_awaited:
            self._add(self._wait.end(event.at))

    def _end(self, event: HistoryEvent) -> None:
        run = self._last(event.name or "")
        if run is None:
            return
        error = (event.error or "it failed") if event.is_failure else None
        begun = run.attempts[-1]
        seconds = (event.at - begun.at).total_seconds()
        run.attempts[-1] = replace(begun, seconds=max(seconds, 0.0), error=error)
        if error is None:
            run.output, run.ended_at = event.output, event.at
            if run.action is REQUEST_APPROVAL and not _ends_the_order(event.output):
                self._wait.begin(event.at)

    def _last(self, name: str) -> _Run | None:
        return next((run for run in reversed(self._runs) if run.name == name), None)

    def _entry(self, run: _Run) -> Entry:
        state = self._state(run)
        status = _status(run)
        is_refused = run.action.is_refused(run.output)
        words = run.action.outcome(run.output) if state is State.DONE else run.action.name
        is_published = run.action is PUBLISH and status is not None
        return Entry(
            at=run.at,
            kind=Kind.UNDO if run.action in COMPENSATIONS else Kind.STEP,
            title=f"{words}: {status.replace('_', ' ')}" if is_published and status else words,
            name=run.name,
            state=state,
            seconds=run.seconds if state in {State.DONE, State.FAILED} else None,
            attempts=tuple(run.attempts),
            status=status if run.ended_at is not None and not is_refused else None,
            note=_why_refused(run.output) if is_refused else "",
            is_refused=is_refused,
        )

    def _state(self, run: _Run) -> State:
        if run.ended_at is not None:
            return State.DONE
        has_continued = self._runs[-1] is not run and run.is_awaited
        if run.attempts[-1].error is not None:
            return State.FAILED if has_continued or self._is_over else State.RETRYING
        return State.STOPPED if self._is_over else State.RUNNING


def _status(run: _Run) -> OrderStatus | None:
    """Return the status that the action records or publishes, if any."""
    if run.action is PUBLISH:
        given = run.payload.get("status") if isinstance(run.payload, dict) else None
        return OrderStatus(given) if isinstance(given, str) and given in set(OrderStatus) else None
    return run.action.status if isinstance(run.action, Step) else None


def _why_refused(output: Any) -> str:
    """Return the reason in a refusal as a sentence."""
    reason = str(output.get("reason") or "").replace("_", " ")
    return f"{reason[:1].upper()}{reason[1:]}." if reason else ""


def _ends_the_order(output: Any) -> bool:
    flags = ("cancelled", "superseded")
    return isinstance(output, dict) and any(output.get(flag) is True for flag in flags)
