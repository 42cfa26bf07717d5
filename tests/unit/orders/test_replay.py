"""Replays of recorded histories against the current code and against changed code."""

import json
from collections.abc import Callable, Generator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from dapr.ext.workflow import DaprWorkflowContext
from dapr.ext.workflow._durabletask.internal import helpers, protos
from google.protobuf import json_format

from histories.freeze import frozen_input, read_input
from orderflow_contracts.fields import now
from orderflow_workflow_runtime.histories import HistoryUnavailable, Recording
from orderflow_workflow_runtime.replay import Misfit, replay
from orders import workflow_names as names
from orders.ordering import steps
from orders.workflows import WORKFLOWS

HISTORIES = Path(__file__).parents[2] / "histories"
FILES = sorted(HISTORIES.glob("*.json"))

Changed = Callable[..., Generator[Any, Any, Any]]


def golden(name: str) -> Recording:
    path = HISTORIES / f"{name}.json"
    return Recording.read(path.read_bytes(), path.name)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_golden_histories_replay(path: Path) -> None:
    """Recorded instances must fit all later versions."""
    assert replay(Recording.read(path.read_bytes(), path.name), WORKFLOWS) is None


def test_each_workflow_has_a_golden_history() -> None:
    """The file's name begins with the workflow's."""
    assert {path.stem.partition(".")[0] for path in FILES} == set(WORKFLOWS)
    for path in FILES:
        recording = Recording.read(path.read_bytes(), path.name)
        assert path.stem.startswith(f"{recording.workflow}.")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_turn_of_a_golden_history_replays(path: Path) -> None:
    """An instance may be replayed at any point, not only at its end."""
    whole = Recording.read(path.read_bytes(), path.name)
    turns = [n for n, event in enumerate(whole.events) if "workflowStarted" in event and n]

    for end in turns:
        assert replay(whole.model_copy(update={"events": whole.events[:end]}), WORKFLOWS) is None, (
            end
        )


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_golden_history_keeps_its_original_input(path: Path) -> None:
    """A changed default must not change running instances; new fields are frozen, too."""
    today = read_input(Recording.read(path.read_bytes(), path.name))

    assert today == frozen_input(path), "a new field? run: python tests/histories/freeze.py"


def two_steps(ctx: DaprWorkflowContext, _: Any) -> Generator[Any, Any, str]:
    """Run two steps; the following workflows are changed versions of it."""
    yield ctx.call_activity("first")
    yield ctx.call_activity("second")
    return "done"


def first_left_out(ctx: DaprWorkflowContext, _: Any) -> Generator[Any, Any, str]:
    yield ctx.call_activity("second")
    return "done"


def last_left_out(ctx: DaprWorkflowContext, _: Any) -> Generator[Any, Any, str]:
    yield ctx.call_activity("first")
    return "done"


def swapped(ctx: DaprWorkflowContext, _: Any) -> Generator[Any, Any, str]:
    yield ctx.call_activity("second")
    yield ctx.call_activity("first")
    return "done"


def renamed(ctx: DaprWorkflowContext, _: Any) -> Generator[Any, Any, str]:
    yield ctx.call_activity("first")
    yield ctx.call_activity("second_again")
    return "done"


def more_between(ctx: DaprWorkflowContext, _: Any) -> Generator[Any, Any, str]:
    yield ctx.call_activity("first")
    yield ctx.create_timer(timedelta(seconds=1))
    yield ctx.call_activity("second")
    return "done"


def more_at_the_end(ctx: DaprWorkflowContext, _: Any) -> Generator[Any, Any, str]:
    yield from two_steps(ctx, None)
    yield ctx.call_activity("third")
    return "done"


def more_beside(ctx: DaprWorkflowContext, _: Any) -> Generator[Any, Any, str]:
    yield ctx.call_activity("first")
    second: Any = ctx.call_activity("second")
    ctx.call_activity("beside")
    yield second
    return "done"


def waits_first(ctx: DaprWorkflowContext, _: Any) -> Generator[Any, Any, str]:
    yield ctx.wait_for_external_event("go")
    return (yield from two_steps(ctx, None))


def child_instead(ctx: DaprWorkflowContext, _: Any) -> Generator[Any, Any, str]:
    yield ctx.call_child_workflow("family", instance_id="child")
    return "done"


def other_result(ctx: DaprWorkflowContext, _: Any) -> Generator[Any, Any, str]:
    yield from two_steps(ctx, None)
    return "otherwise done"


def fails(ctx: DaprWorkflowContext, _: Any) -> Generator[Any, Any, str]:
    yield from two_steps(ctx, None)
    raise LookupError("nothing")


def begins_anew(ctx: DaprWorkflowContext, _: Any) -> Generator[Any, Any, str]:
    yield from two_steps(ctx, None)
    ctx.continue_as_new("again")
    return "done"


def yields_no_task(ctx: DaprWorkflowContext, _: Any) -> Generator[Any, Any, str]:
    yield ctx.call_activity("first")
    yield "second"
    return "done"


def turn(*events: Any) -> list[Any]:
    return [helpers.new_workflow_started_event(), *events]


def ended(status: int, result: str | None = None, failure: str | None = None) -> Any:
    details = protos.TaskFailureDetails(errorType=failure) if failure else None
    return protos.HistoryEvent(
        eventId=9,
        executionCompleted=protos.ExecutionCompletedEvent(
            workflowStatus=status,  # type: ignore[arg-type] # one of the engine's numbers
            result=helpers.get_string_value(result),
            failureDetails=details,
        ),
    )


def recorded(*turns: list[Any]) -> Recording:
    events = [event for events in turns for event in events]
    return Recording.of("x", events, {}, now())


BEGINNING = turn(
    helpers.new_execution_started_event("steps", "x"), helpers.new_task_scheduled_event(1, "first")
)
SECOND = turn(helpers.new_task_completed_event(1), helpers.new_task_scheduled_event(2, "second"))
END = turn(
    helpers.new_task_completed_event(2), ended(protos.ORCHESTRATION_STATUS_COMPLETED, '"done"')
)
WAITS = recorded(BEGINNING, SECOND)
ENDED = recorded(BEGINNING, SECOND, END)
"""Events: 1 turn, 2 start, 3 first; 4 turn, 5 done, 6 second; 7 turn, 8 done, 9 end."""


def misfit(recording: Recording, workflow: Changed) -> Misfit:
    found = replay(recording, {"steps": workflow})
    assert found is not None
    return found


def test_an_unchanged_workflow_replays() -> None:
    """This holds while the instance waits, too."""
    assert replay(WAITS, {"steps": two_steps}) is None
    assert replay(ENDED, {"steps": two_steps}) is None


@pytest.mark.parametrize("recording", [WAITS, ENDED], ids=["waits", "ended"])
@pytest.mark.parametrize(
    ("workflow", "number", "kind", "name", "instead"),
    [
        (first_left_out, 3, "task_scheduled", "first", "calls the activity second"),
        (last_left_out, 6, "task_scheduled", "second", "ends as COMPLETED"),
        (swapped, 3, "task_scheduled", "first", "calls the activity second"),
        (renamed, 6, "task_scheduled", "second", "calls the activity second_again"),
        (more_between, 6, "task_scheduled", "second", "sets a timer"),
        (waits_first, 3, "task_scheduled", "first", "waits for the event go"),
        (child_instead, 3, "task_scheduled", "first", "starts the child workflow family"),
        (yields_no_task, 6, "task_scheduled", "second", "fails with TypeError"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_changed_steps_are_reported(
    recording: Recording, workflow: Changed, number: int, kind: str, name: str, instead: str
) -> None:
    """The report has the first event that does not fit, and what the code does instead."""
    found = misfit(recording, workflow)

    assert (found.number, found.type, found.name) == (number, kind, name)
    assert instead in found.instead


def test_an_additional_step_that_is_not_awaited_is_reported() -> None:
    """It is found at the end of the turn, because no event follows."""
    assert misfit(ENDED, more_beside).number == 7
    assert misfit(WAITS, more_beside).type == "end_of_history"
    assert misfit(WAITS, more_beside).number == 7
    assert "beside" in misfit(WAITS, more_beside).instead


@pytest.mark.parametrize(
    ("workflow", "instead"),
    [
        (more_at_the_end, "calls the activity third"),
        (other_result, 'COMPLETED with "otherwise done"; it was'),
        (fails, "fails with LookupError; it was"),
        (begins_anew, 'CONTINUED_AS_NEW with "again"; it was'),
    ],
)
def test_a_changed_result_is_reported(workflow: Changed, instead: str) -> None:
    """The report has the last event; until then such code fits."""
    assert replay(WAITS, {"steps": workflow}) is None
    found = misfit(ENDED, workflow)
    assert (found.number, found.event_id, found.type) == (9, 9, "workflow_completed")
    assert instead in found.instead


def test_ending_too_early_is_reported() -> None:
    """The code has ended where the history goes on."""
    found = misfit(recorded(BEGINNING, turn(helpers.new_task_completed_event(1))), last_left_out)

    assert (found.number, found.type) == (6, "end_of_history")


def test_an_unregistered_workflow_is_reported() -> None:
    """The report has its first event."""
    found = replay(WAITS, {})

    assert found is not None
    assert (found.number, found.type, found.name) == (2, "workflow_started", "steps")
    assert "no workflow named steps" in found.instead


def test_failures_are_compared_by_type() -> None:
    """The message may change."""
    failed = turn(
        helpers.new_task_completed_event(2),
        ended(protos.ORCHESTRATION_STATUS_FAILED, failure="LookupError"),
    )

    assert replay(recorded(BEGINNING, SECOND, failed), {"steps": fails}) is None
    assert misfit(recorded(BEGINNING, SECOND, failed), two_steps).number == 9


def test_a_history_may_go_on_after_continuing_as_new() -> None:
    """The rest is a separate history."""
    anew = turn(
        helpers.new_task_completed_event(2),
        ended(protos.ORCHESTRATION_STATUS_CONTINUED_AS_NEW, '"again"'),
    )

    assert replay(recorded(BEGINNING, SECOND, anew, BEGINNING), {"steps": begins_anew}) is None


def test_children_are_replayed() -> None:
    """They replay under the name with which they were started."""
    started = turn(
        helpers.new_execution_started_event("steps", "x"),
        helpers.new_child_workflow_created_event(1, "family", "child"),
    )
    done = turn(
        helpers.new_child_workflow_completed_event(1),
        ended(protos.ORCHESTRATION_STATUS_COMPLETED, '"done"'),
    )

    assert replay(recorded(started, done), {"steps": child_instead}) is None
    assert misfit(recorded(started, done), two_steps).type == "child_workflow_instance_created"


def patched(ctx: Any, _: Any) -> Generator[Any, Any, str]:
    yield ctx.call_activity("first")
    yield ctx.call_activity("better" if ctx.is_patched("better-second") else "second")
    return "done"


def test_patches_replay_as_recorded() -> None:
    """A decision by a patch is repeated."""
    version = protos.WorkflowVersion(patches=["better-second"])
    since = protos.HistoryEvent(
        eventId=-1, workflowStarted=protos.WorkflowStartedEvent(version=version)
    )
    better = helpers.new_task_scheduled_event(2, "better")
    with_patch = [since, helpers.new_task_completed_event(1), better]

    assert replay(recorded(BEGINNING, SECOND), {"steps": patched}) is None
    assert replay(recorded(BEGINNING, with_patch), {"steps": patched}) is None


@pytest.mark.parametrize(
    ("scene", "activity", "number"),
    [
        ("completed", steps.SHIP.activity, 12),
        ("retried", steps.PAY.activity, 9),
        ("denied", steps.RELEASE.activity, None),
    ],
)
def test_an_order_workflow_with_a_missing_step_is_reported(
    scene: str, activity: str, number: int | None
) -> None:
    """It is found where a history of the real platform has the step."""
    changed = golden(f"{names.ORDER_PROCESSING}.{scene}")
    events = json.loads(json.dumps(changed.events))
    places = [n for n, event in enumerate(events) if named(event) == activity]
    events[places[0]]["taskScheduled"]["name"] = "an_activity_of_old"

    found = replay(changed.model_copy(update={"events": tuple(events)}), WORKFLOWS)

    assert found is not None
    assert (found.number, found.name) == (number or places[0] + 1, "an_activity_of_old")
    assert activity in found.instead
    assert found.event_id == events[places[0]]["eventId"]


def named(event: dict[str, Any]) -> str | None:
    name: str | None = event.get("taskScheduled", {}).get("name")
    return name


@pytest.mark.parametrize("text", [b"", b"{}", b"no", b'{"instance_id": 1}', b"\xff"])
def test_an_invalid_recording_is_refused(text: bytes) -> None:
    """The error names the file."""
    with pytest.raises(HistoryUnavailable, match="story is not a recorded history"):
        Recording.read(text, "story")


@pytest.mark.parametrize("events", [[], [{"eventId": "x"}], [{"workflowStarted": {}}]])
def test_a_recording_without_a_history_is_refused(events: list[Any]) -> None:
    """It must contain a start event, in the engine's format."""
    recording = ENDED.model_copy(update={"events": tuple(events)})

    with pytest.raises(HistoryUnavailable):
        replay(recording, WORKFLOWS)


def test_a_recording_keeps_every_event() -> None:
    """Events are as the engine sent them."""
    parsed = Recording.read(ENDED.model_dump_json(), "file")

    assert parsed == ENDED
    assert [json_format.MessageToDict(event) for event in parsed.history()] == list(ENDED.events)
