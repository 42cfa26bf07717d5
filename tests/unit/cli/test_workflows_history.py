"""The `workflows history` command."""

import json
import re
from typing import Any

import pytest

from fakes.command import Run
from fakes.workflow_server import HELLO, ManagedWorkflows
from orderflow_contracts.fields import now
from orderflow_workflow_runtime.instances import HistoryEvent
from orders.ordering.actions import Step
from orders.ordering.steps import STEPS, describe

pytestmark = pytest.mark.usefixtures("settings")


def event(second: int, kind: str, **more: object) -> dict[str, Any]:
    return {"at": f"2026-01-02T03:04:{second:02}.250Z", "type": kind, **more}


HISTORY: list[dict[str, Any]] = [
    event(1, "turn_started"),
    event(1, "workflow_started", name=HELLO, input="Ada"),
    event(1, "task_scheduled", event_id=0, name="greet", input="Ada", is_rerunnable=True),
    event(4, "task_completed", name="greet", output="x" * 300, duration_seconds=3.0),
    event(5, "event_raised", name="approvalEvent", input={"ok": True}),
    event(5, "workflow_suspended"),
    event(6, "task_failed", name="print", error="OSError: no paper", duration_seconds=0.25),
    event(6, "something_new", name="odd"),
    event(7, "workflow_completed", error="TaskFailedError: print", duration_seconds=6.0),
    {"at": "2026-01-09T03:04:05Z", "type": "workflow_completed", "output": "done"},
]


def test_a_history_shows_time_event_duration_and_details(
    run: Run, workflows: ManagedWorkflows
) -> None:
    """Each line shows an event with its time, duration and details; engine events are omitted."""
    workflows.put("a")
    workflows.histories["a"] = HISTORY

    outcome = run("workflows", "history", "a")

    rows = [re.sub(" {2,}", "|", line.strip()) for line in outcome.lines[1:]]
    assert re.fullmatch(
        rf'2026-01-0\d \d\d:\d4:01\.250\|workflow {HELLO} started\|-\|input: "Ada"\|-', rows[0]
    )
    cut = "x" * rows[2].count("x")
    assert 30 < len(cut) < 120
    assert [line.partition("|")[2] for line in rows[1:]] == [
        'activity greet scheduled|-|input: "Ada"|0',
        f'activity greet completed|3.0 s|output: "{cut}…|-',
        'event approvalEvent received|-|input: {"ok": true}|-',
        "workflow paused|-|-|-",
        "activity print failed|250 ms|error: OSError: no paper|-",
        "something new odd|-|-|-",
        "workflow failed|6.0 s|error: TaskFailedError: print|-",
        'workflow completed|-|output: "done"|-',
    ]


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.name)
def test_every_step_of_an_order_is_described_as_orders_does(
    run: Run, workflows: ManagedWorkflows, step: Step
) -> None:
    """The command line shows the descriptions that come with the history, for every step."""
    workflows.put("a")
    kinds = ("task_scheduled", "task_failed", "task_completed")
    events = [
        HistoryEvent(event_id=None, at=now(), type=kind, name=step.activity) for kind in kinds
    ]
    workflows.histories["a"] = [describe(event).model_dump(mode="json") for event in events]

    outcome = run("workflows", "history", "a")

    for words, line in zip(
        (f"{step.name}: started", f"{step.name}: failed", step.done), outcome.lines[1:], strict=True
    ):
        assert words in line


def test_a_history_shows_the_date_once_a_day(run: Run, workflows: ManagedWorkflows) -> None:
    """The date is shown where it changes."""
    workflows.put("a")
    workflows.histories["a"] = HISTORY

    outcome = run("workflows", "history", "a")

    dated = [bool(re.match(r" *2026-", line)) for line in outcome.lines[1:]]
    assert dated == [True, *[False] * 7, True]


def test_a_full_history_omits_nothing(run: Run, workflows: ManagedWorkflows) -> None:
    """With --full values are complete, and engine events are included."""
    workflows.put("a")
    workflows.histories["a"] = HISTORY

    outcome = run("workflows", "history", "a", "--full")

    assert "turn started" in outcome.out
    assert outcome.out.count("x") >= 300
    assert "…" not in outcome.out


def test_a_history_as_json_is_the_document_of_orders(run: Run, workflows: ManagedWorkflows) -> None:
    """JSON output is complete."""
    workflows.put("a")
    workflows.histories["a"] = HISTORY

    document = json.loads(run("workflows", "history", "a", "--json").out)

    assert [item["type"] for item in document["items"]] == [item["type"] for item in HISTORY]
    assert document["items"][3]["output"] == "x" * 300
    assert document["next"] is None


def test_an_empty_history_says_so(run: Run, workflows: ManagedWorkflows) -> None:
    """An instance that waits for its worker has no history yet."""
    workflows.put("a", "PENDING")

    assert run("workflows", "history", "a").out == "No history yet.\n"
