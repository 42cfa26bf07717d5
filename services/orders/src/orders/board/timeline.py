"""An order's story, told from its statuses and what the engine remembers of its workflow. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from orderflow_contracts.orders import HistoryEntry, Order, OrderStatus
from orderflow_workflow_runtime.instances import HistoryEvent
from orders import workflow_names as names

TITLES: Final[Mapping[str, str]] = {
    names.NOTIFY: "Told everyone",
    names.VERIFY_INVENTORY: "Set the goods aside",
    names.REQUEST_APPROVAL: "Asked for approval",
    names.REMIND_OF_APPROVAL: "Reminded of the approval",
    names.PROCESS_PAYMENT: "Took the money",
    names.HAND_TO_WAREHOUSE: "Gave the warehouse its task",
    names.TASK_PROCESSING: "Had the goods picked",
    names.UPDATE_INVENTORY: "Took the goods from the shelf",
    names.RELEASE_INVENTORY: "Gave the goods back",
    names.REFUND_PAYMENT: "Gave the money back",
    names.WITHDRAW_APPROVAL: "Withdrew the request for approval",
    names.WITHDRAW_TASK: "Withdrew the warehouse's task",
    "conclude_retry_activity": "Noted how the retry came out",
}
"""What each step did, in words; a step that is not named here goes by its own name."""

_RECORDS: Final = {
    names.VERIFY_INVENTORY: OrderStatus.RESERVED,
    names.REQUEST_APPROVAL: OrderStatus.AWAITING_APPROVAL,
    names.PROCESS_PAYMENT: OrderStatus.PAID,
}
_UNDOES: Final = {
    names.RELEASE_INVENTORY: {names.VERIFY_INVENTORY, names.UPDATE_INVENTORY},
    names.REFUND_PAYMENT: {names.PROCESS_PAYMENT},
    names.WITHDRAW_APPROVAL: {names.REQUEST_APPROVAL},
    names.WITHDRAW_TASK: {names.HAND_TO_WAREHOUSE, names.TASK_PROCESSING},
}
_BESIDE: Final = frozenset({names.REMIND_OF_APPROVAL})
"""Steps that nobody waits for: they do not end what is waited for."""
_MARKS: Final = {
    "workflow_suspended": "Paused by an operator",
    "workflow_resumed": "Resumed by an operator",
    "workflow_terminated": "Stopped by an operator",
}
_DECIDED: Final = "approval_decided"
_STOPPED: Final = "It was stopped while it waited."
_BEGINS: Final = frozenset({"task_scheduled", "child_workflow_instance_created"})
_SUCCEEDS: Final = frozenset({"task_completed", "child_workflow_instance_completed"})
_FAILS: Final = frozenset({"task_failed", "child_workflow_instance_failed"})


class Kind(StrEnum):
    """What an entry of the story is."""

    STATUS = "status"
    STEP = "step"
    UNDO = "undo"
    WAIT = "wait"
    MARK = "mark"


class State(StrEnum):
    """How far it is."""

    DONE = "done"
    RUNNING = "running"
    RETRYING = "retrying"
    FAILED = "failed"
    STOPPED = "stopped"


@dataclass(frozen=True)
class Attempt:
    """One try of a step: how long it took, and the error if it failed."""

    at: datetime
    seconds: float | None = None
    error: str | None = None


@dataclass(frozen=True)
class Entry:
    """One part of an order's story. `seconds` is None while it lasts."""

    at: datetime
    kind: Kind
    title: str
    name: str = ""
    state: State = State.DONE
    seconds: float | None = None
    attempts: tuple[Attempt, ...] = ()
    status: OrderStatus | None = None
    reason: str | None = None
    note: str = ""
    is_undone: bool = False

    @property
    def failures(self) -> tuple[Attempt, ...]:
        """The tries that failed."""
        return tuple(attempt for attempt in self.attempts if attempt.error is not None)


def timeline(order: Order, *histories: Sequence[HistoryEvent]) -> tuple[Entry, ...]:
    """Tell the story of an order, oldest first.

    The histories are those of its workflow and of those that undid it, as far as the engine still
    has them; without any, the statuses alone tell it.
    """
    entries: list[Entry] = []
    for history in histories:
        entries += _Teller(is_over=order.status.is_final).tell(history)
    entries = _mark_undone(entries)
    entries = _with_statuses(order.history, entries)
    return tuple(sorted(entries, key=lambda entry: entry.at))


@dataclass
class _Step:
    """A step as it is being told."""

    name: str
    payload: Any
    at: datetime
    attempts: list[Attempt] = field(default_factory=list)
    output: Any = None
    ended_at: datetime | None = None

    @property
    def may_be_tried_again(self) -> bool:
        return self.ended_at is None and self.attempts[-1].error is not None


class _Teller:
    """Goes through one history, and gathers tries of the same step, and what was waited for."""

    def __init__(self, *, is_over: bool) -> None:
        self._is_over = is_over
        self._steps: list[_Step] = []
        self._others: list[Entry] = []
        self._waits_since: datetime | None = None
        self._raised: dict[str, Any] = {}
        self._is_stopped = False

    def tell(self, history: Sequence[HistoryEvent]) -> list[Entry]:
        for event in history:
            self._take(event)
            if event.type in _MARKS:
                mark = Entry(event.at, Kind.MARK, _MARKS[event.type], state=State.STOPPED)
                self._others.append(mark)
        if self._waits_since is not None:
            self._end_wait(None)
        steps = [self._entry(step) for step in self._steps]
        return sorted([*steps, *self._others], key=lambda entry: entry.at)

    def _take(self, event: HistoryEvent) -> None:
        name = event.name or ""
        if event.type in _BEGINS:
            if self._waits_since is not None and name not in _BESIDE:
                self._end_wait(event.at)
            self._begin(event, name)
        elif event.type in _SUCCEEDS | _FAILS:
            self._end(event, name)
        elif event.type == "event_raised":
            self._raised[name] = event.input
        elif event.type == "workflow_terminated":
            self._is_stopped = True
        elif event.type == "workflow_completed":
            if self._waits_since is not None:
                self._end_wait(event.at)
            if event.error:
                failed = Entry(event.at, Kind.MARK, "The workflow failed", state=State.FAILED)
                self._others.append(replace(failed, note=event.error))

    def _begin(self, event: HistoryEvent, name: str) -> None:
        again = self._last(name)
        if again is None or not again.may_be_tried_again or again.payload != event.input:
            again = _Step(name, event.input, event.at)
            self._steps.append(again)
        again.attempts.append(Attempt(event.at))

    def _end(self, event: HistoryEvent, name: str) -> None:
        step = self._last(name)
        if step is None:
            return
        error = None
        if event.type in _FAILS:
            error = event.error or "it failed"
        begun = step.attempts[-1]
        seconds = (event.at - begun.at).total_seconds()
        step.attempts[-1] = replace(begun, seconds=max(seconds, 0.0), error=error)
        if error is None:
            step.output, step.ended_at = event.output, event.at
            is_asked = name == names.REQUEST_APPROVAL
            if is_asked and not _flag(event.output, "cancelled", "superseded"):
                self._waits_since = event.at

    def _last(self, name: str) -> _Step | None:
        return next((step for step in reversed(self._steps) if step.name == name), None)

    def _end_wait(self, at: datetime | None) -> None:
        since, self._waits_since = self._waits_since, None
        if since is None:
            return
        wait = Entry(since, Kind.WAIT, "Waited for the decision", state=State.DONE)
        if at is not None:
            seconds = max((at - since).total_seconds(), 0.0)
            wait = replace(wait, seconds=seconds, note=self._what_came())
        elif self._is_over:
            wait = replace(wait, state=State.STOPPED, note=_STOPPED)
        else:
            wait = replace(wait, title="Waits for the decision", state=State.RUNNING)
        self._others.append(wait)

    def _what_came(self) -> str:
        if self._is_stopped:
            return _STOPPED
        decision = self._raised.get(_DECIDED)
        if isinstance(decision, dict) and isinstance(decision.get("approved"), bool):
            verb = "Approved" if decision["approved"] else "Denied"
            by = f" by {decision['approver']}" if decision.get("approver") else ""
            comment = f": “{decision['comment']}”" if decision.get("comment") else "."
            return f"{verb}{by}{comment}"
        if names.CANCEL_REQUESTED in self._raised:
            return "It was asked to cancel the order meanwhile."
        return "Nobody decided in time."

    def _entry(self, step: _Step) -> Entry:
        last = step.attempts[-1]
        state = self._state(step)
        seconds = None
        ended = step.ended_at
        if ended is None and state is State.FAILED and last.seconds is not None:
            seconds = (last.at - step.at).total_seconds() + last.seconds
        elif ended is not None:
            seconds = (ended - step.at).total_seconds()
        status = _RECORDS.get(step.name)
        if step.name == names.NOTIFY:
            status = _told(step.payload)
        note = _note(step)
        return Entry(
            at=step.at,
            kind=Kind.UNDO if step.name in _UNDOES else Kind.STEP,
            title=_title(step, status),
            name=step.name,
            state=state,
            seconds=None if seconds is None else max(seconds, 0.0),
            attempts=tuple(step.attempts),
            status=status if step.ended_at is not None and not note else None,
            note=note,
        )

    def _state(self, step: _Step) -> State:
        if step.ended_at is not None:
            return State.DONE
        has_gone_on = self._steps[-1] is not step and step.name not in _BESIDE
        if step.attempts[-1].error is not None:
            return State.FAILED if has_gone_on or self._is_over else State.RETRYING
        return State.STOPPED if self._is_over else State.RUNNING


def _title(step: _Step, status: OrderStatus | None) -> str:
    title = TITLES.get(step.name, step.name)
    if step.name == names.NOTIFY and status is not None:
        return f"{title}: {status.replace('_', ' ')}"
    return title


def _told(payload: Any) -> OrderStatus | None:
    told = payload.get("status") if isinstance(payload, dict) else None
    return OrderStatus(told) if isinstance(told, str) and told in set(OrderStatus) else None


def _note(step: _Step) -> str:
    """Say what came of a step that was done, and yet did not do what it is there for."""
    output = step.output if isinstance(step.output, dict) else {}
    if output.get("outcome") == "rejected":
        return f"It could not: {str(output.get('reason') or 'rejected').replace('_', ' ')}."
    if output.get("outcome") == "declined":
        return "It was declined."
    return ""


def _flag(output: Any, *flags: str) -> bool:
    return isinstance(output, dict) and any(output.get(flag) is True for flag in flags)


def _mark_undone(entries: Sequence[Entry]) -> list[Entry]:
    undone: set[str] = set()
    for entry in entries:
        if entry.kind is Kind.UNDO and entry.state is State.DONE:
            undone |= _UNDOES[entry.name]
    taken = {entry.name for entry in entries if entry.kind is Kind.STEP}
    return [_marked(entry, undone, taken) for entry in entries]


def _marked(entry: Entry, undone: set[str], taken: set[str]) -> Entry:
    if entry.kind is Kind.STEP and entry.name in undone and not entry.note:
        return replace(entry, is_undone=True)
    if entry.kind is Kind.UNDO and not entry.note and not taken & _UNDOES[entry.name]:
        return replace(entry, note="There was nothing to undo.")
    return entry


def _with_statuses(statuses: Iterable[HistoryEntry], entries: Sequence[Entry]) -> list[Entry]:
    """Put each status to the step that recorded it; one that none did stands for itself."""
    left = {status.status: status for status in statuses}
    told: list[Entry] = []
    for entry in entries:
        is_first = entry.status is OrderStatus.RECEIVED  # it was kept before there was a workflow
        kept = left.pop(entry.status, None) if entry.status and not is_first else None
        reason = kept.reason if kept is not None else None
        told.append(replace(entry, status=kept.status if kept else None, reason=reason))
    for status in left.values():
        title = f"The order is {status.status.replace('_', ' ')}"
        told.append(
            Entry(status.at, Kind.STATUS, title, status=status.status, reason=status.reason)
        )
    return told
