"""A history as a story: when, what happened, how long it took, and with what."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final

from orderflow_cli.show import NOTHING, cell, console, new_table, print_table, span
from orderflow_cli.workflows.instance_view import compact, cut
from orderflow_cli.workflows.models import HistoryEvent

WORDS: Final = {
    "workflow_started": "workflow {name} started",
    "workflow_completed": "workflow ended",
    "workflow_terminated": "workflow terminated",
    "workflow_suspended": "workflow paused",
    "workflow_resumed": "workflow resumed",
    "execution_stalled": "workflow stalled: no worker fits its history",
    "continue_as_new": "workflow begins anew",
    "task_scheduled": "activity {name} asked for",
    "task_completed": "activity {name} done",
    "task_failed": "activity {name} failed",
    "child_workflow_instance_created": "child workflow {name} started",
    "child_workflow_instance_completed": "child workflow {name} done",
    "child_workflow_instance_failed": "child workflow {name} failed",
    "detached_workflow_instance_created": "workflow {name} started beside it",
    "timer_created": "timer {name} set",
    "timer_fired": "timer {name} ran out",
    "event_sent": "event {name} sent",
    "event_raised": "event {name} came in",
}
BOOKKEEPING: Final = frozenset({"turn_started", "turn_completed"})
"""The engine's own steps: each time the workflow's code was run as far as it could go."""
WIDTH_OF_THE_REST: Final = 50
"""What the other columns take, but for the words of what happened."""
LEAST_WIDTH: Final = 30


def show_history(events: Sequence[HistoryEvent], *, full: bool) -> None:
    """Print what happened; unless in full, without bookkeeping and with values cut to size."""
    told = [event for event in events if full or event.type not in BOOKKEEPING]
    words = max((len(_words(event)) for event in told), default=0)
    length = max(LEAST_WIDTH, console().width - WIDTH_OF_THE_REST - words)
    table = new_table(">time", "what happened", ">took", "with", ">rerun from")
    earlier = None
    for event in told:
        what = "  ".join(_values(event)) or NOTHING
        table.add_row(
            cell(_time(event.at, earlier)),
            cell(_words(event)),
            cell(NOTHING if event.duration_seconds is None else span(event.duration_seconds)),
            cell(what if full else cut(what, length)),
            cell(str(event.event_id) if event.is_rerunnable else NOTHING),
        )
        earlier = event.at
    print_table(table, empty=None if told else "Nothing has happened yet.")


def _words(event: HistoryEvent) -> str:
    """Say what happened; what is not known here is said in the engine's words."""
    words = WORDS.get(event.type, f"{event.type.replace('_', ' ')} {{name}}")
    if event.type == "workflow_completed" and event.error is not None:
        words = "workflow failed"
    return " ".join(words.replace("{name}", event.name or "").split())


def _values(event: HistoryEvent) -> Iterator[str]:
    if event.error is not None:
        yield f"error: {event.error}"
    if event.input is not None:
        yield f"input: {compact(event.input)}"
    if event.output is not None:
        yield f"output: {compact(event.output)}"


def _time(at: datetime, earlier: datetime | None) -> str:
    """Write the time of day to the millisecond, and the date where another one begins."""
    here = at.astimezone()
    is_same_day = earlier is not None and earlier.astimezone().date() == here.date()
    form = "%H:%M:%S.%f" if is_same_day else "%Y-%m-%d %H:%M:%S.%f"
    return here.strftime(form)[:-3]
