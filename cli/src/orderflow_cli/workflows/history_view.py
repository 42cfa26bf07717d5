"""Prints a workflow history: time, event, duration and details."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final

from orderflow_cli.show import NOTHING, cell, console, new_table, print_table, span
from orderflow_cli.workflows.instance_view import compact, shorten
from orderflow_cli.workflows.models import HistoryEvent

DESCRIPTIONS: Final = {
    "workflow_started": "workflow {name} started",
    "workflow_completed": "workflow completed",
    "workflow_terminated": "workflow terminated",
    "workflow_suspended": "workflow paused",
    "workflow_resumed": "workflow resumed",
    "execution_stalled": "workflow stalled: no worker matches its history",
    "continue_as_new": "workflow continued as new",
    "task_scheduled": "activity {name} scheduled",
    "task_completed": "activity {name} completed",
    "task_failed": "activity {name} failed",
    "child_workflow_instance_created": "child workflow {name} started",
    "child_workflow_instance_completed": "child workflow {name} completed",
    "child_workflow_instance_failed": "child workflow {name} failed",
    "detached_workflow_instance_created": "detached workflow {name} started",
    "timer_created": "timer {name} set",
    "timer_fired": "timer {name} fired",
    "event_sent": "event {name} sent",
    "event_raised": "event {name} received",
}
ENGINE_EVENTS: Final = frozenset({"turn_started", "turn_completed"})
"""The engine's own events: one pair for each run of the workflow's code."""
OTHER_COLUMNS_WIDTH: Final = 50
"""The width of the columns other than the event and its details."""
MIN_DETAILS_WIDTH: Final = 30


def show_history(events: Sequence[HistoryEvent], *, full: bool) -> None:
    """Print a history; unless `full`, without engine events and with values shortened."""
    selected = [event for event in events if full or event.type not in ENGINE_EVENTS]
    event_width = max((len(_describe(event)) for event in selected), default=0)
    length = max(MIN_DETAILS_WIDTH, console().width - OTHER_COLUMNS_WIDTH - event_width)
    table = new_table(">time", "event", ">duration", "details", ">rerun from")
    earlier = None
    for event in selected:
        details = "  ".join(_values(event)) or NOTHING
        table.add_row(
            cell(_time(event.at, earlier)),
            cell(_describe(event)),
            cell(NOTHING if event.duration_seconds is None else span(event.duration_seconds)),
            cell(details if full else shorten(details, length)),
            cell(str(event.event_id) if event.is_rerunnable else NOTHING),
        )
        earlier = event.at
    print_table(table, empty=None if selected else "No history yet.")


def _describe(event: HistoryEvent) -> str:
    """Describe an event as orders does, or else by its type; an unknown type by its own name."""
    if event.description:
        return event.description
    text = DESCRIPTIONS.get(event.type, f"{event.type.replace('_', ' ')} {{name}}")
    if event.type == "workflow_completed" and event.error is not None:
        text = "workflow failed"
    return " ".join(text.replace("{name}", event.name or "").split())


def _values(event: HistoryEvent) -> Iterator[str]:
    if event.error is not None:
        yield f"error: {event.error}"
    if event.input is not None:
        yield f"input: {compact(event.input)}"
    if event.output is not None:
        yield f"output: {compact(event.output)}"


def _time(at: datetime, earlier: datetime | None) -> str:
    """Format the time to the millisecond, with the date if it differs from the previous event's."""
    local = at.astimezone()
    is_same_day = earlier is not None and earlier.astimezone().date() == local.date()
    form = "%H:%M:%S.%f" if is_same_day else "%Y-%m-%d %H:%M:%S.%f"
    return local.strftime(form)[:-3]
