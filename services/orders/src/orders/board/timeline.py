"""Builds an order's timeline from its statuses and the histories of its workflows."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from orderflow_contracts.orders import HistoryEntry, Order, OrderStatus, Reason
from orderflow_workflow_runtime.instances import HistoryEvent
from orders.board.entries import Entry, Kind, State
from orders.board.histories import read_history
from orders.ordering.steps import steps_undone_by


def timeline(order: Order, *histories: Sequence[HistoryEvent]) -> tuple[Entry, ...]:
    """Return the timeline of an order, oldest entry first.

    The histories are those of its workflow and of the workflows that undid it, if the engine still
    has them; without any, the timeline has only the statuses.
    """
    entries: list[Entry] = []
    for history in histories:
        entries += read_history(history, is_over=order.status.is_final)
    entries = _mark_undone(entries)
    entries = _with_statuses(order.history, entries)
    return tuple(sorted(entries, key=lambda entry: entry.at))


def _mark_undone(entries: Sequence[Entry]) -> list[Entry]:
    undone: set[str] = set()
    for entry in entries:
        if entry.kind is Kind.UNDO and entry.state is State.DONE:
            undone |= steps_undone_by(entry.name)
    taken = {entry.name for entry in entries if entry.kind is Kind.STEP}
    return [_marked(entry, undone, taken) for entry in entries]


def _marked(entry: Entry, undone: set[str], taken: set[str]) -> Entry:
    if entry.kind is Kind.STEP and entry.name in undone and not entry.is_refused:
        return replace(entry, is_undone=True)
    if entry.kind is Kind.UNDO and not taken & steps_undone_by(entry.name):
        return replace(entry, note="There was nothing to undo.")
    return entry


def _with_statuses(statuses: Iterable[HistoryEntry], entries: Sequence[Entry]) -> list[Entry]:
    """Add each status to the step that recorded it; the others get entries of their own."""
    left = list(statuses)
    joined: list[Entry] = []
    for entry in entries:
        is_first = entry.status is OrderStatus.RECEIVED  # recorded before the workflow began
        recorded = None if is_first else _last(left, entry.status)
        if recorded is not None:
            left.remove(recorded)
        joined.append(
            replace(
                entry,
                status=recorded.status if recorded else None,
                reason=recorded.reason if recorded else None,
                detail=recorded.detail if recorded else None,
            )
        )
    return [*joined, *map(_of_status, left)]


def _last(statuses: Sequence[HistoryEntry], wanted: OrderStatus | None) -> HistoryEntry | None:
    """Return the last of these: an earlier submission may have been rejected."""
    return next((each for each in reversed(statuses) if each.status is wanted), None)


def _of_status(recorded: HistoryEntry) -> Entry:
    title = f"Order {recorded.status.replace('_', ' ')}"
    if recorded.reason == Reason.INVALID:
        title = "Invalid submission rejected"
    elif recorded.reason == Reason.ID_TAKEN:
        title = "Submission with a taken ID rejected"
    return Entry(
        recorded.at,
        Kind.STATUS,
        title,
        status=recorded.status,
        reason=recorded.reason,
        detail=recorded.detail,
    )
