"""The task workflow through every branch."""

import json
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any

import pytest
from dapr.ext.workflow import TaskFailedError

from fakes.workflow_run import Event, TimerFires, WorkflowRun
from orders.tasks.workflow import task_processing_workflow

VALIDATE, ASSIGN, END = "validate_task", "assign_task", "end_task"
TIMEOUT, TELL = "notify_timeout", "send_completion_notification"
TASK = {"task_id": "t1", "title": "Count the cars", "assignee": "ann"}
DONE_AT = "2026-03-01T12:30:00Z"
DONE = Event("task_completed", {"completed_at": DONE_AT})
WITHDRAWN = Event("task_withdrawn")


def start(
    task: Any = TASK,
    happenings: Iterable[Event | TimerFires] = (),
    early: Iterable[Event] = (),
    answers: Mapping[str, object] | None = None,
) -> WorkflowRun:
    async def answer(name: str, payload: Any) -> object:
        if answers and name in answers:
            result = answers[name]
            if isinstance(result, Exception):
                raise result
            return result
        if name == VALIDATE:
            return {"valid": True}
        if name == ASSIGN:
            return {"assignee": "ann"}
        return {**payload, "completed_at": payload["completed_at"] or ""}

    return WorkflowRun(task_processing_workflow, task, answer, happenings=happenings, early=early)


def steps(run: WorkflowRun) -> list[str]:
    return [call.name for call in run.calls]


@pytest.mark.parametrize(
    ("happenings", "step", "status", "completed_at"),
    [
        ([DONE], TELL, "completed", DONE_AT),
        ([Event("task_completed", json.dumps(DONE.data))], TELL, "completed", DONE_AT),
        ([TimerFires()], TIMEOUT, "timed_out", ""),
        ([WITHDRAWN], END, "withdrawn", ""),
    ],
)
async def test_a_task_is_completed_times_out_or_is_withdrawn(
    happenings: list[Any], step: str, status: str, completed_at: str
) -> None:
    """Each end has its status."""
    run = start(happenings=happenings)

    result = await run.run_to_end()

    assert result == {"task_id": "t1", "status": status, "completed_at": completed_at}
    assert steps(run) == [VALIDATE, ASSIGN, step]
    assert run.timers == [timedelta(hours=24)]


@pytest.mark.parametrize("garbage", [None, "done", 7, [], {}, {"completed_at": "yesterday"}])
async def test_an_invalid_event_does_not_complete_a_task(garbage: Any) -> None:
    """An event without a completion time is ignored."""
    run = start(happenings=[Event("task_completed", garbage), DONE])

    assert (await run.run_to_end())["completed_at"] == DONE_AT


async def test_an_early_completion_is_not_lost() -> None:
    """A task may be completed before it is assigned."""
    assert (await start(early=[DONE]).run_to_end())["status"] == "completed"


async def test_a_task_has_its_own_timeout() -> None:
    """The input gives the length of the wait."""
    run = start({**TASK, "timeout_seconds": 5}, [TimerFires()])
    await run.run_to_end()

    assert run.timers == [timedelta(seconds=5)]


async def test_an_invalid_task_is_rejected() -> None:
    """It is not assigned."""
    run = start(answers={VALIDATE: {"valid": False, "reason": "the title is empty"}})

    assert (await run.run_to_end())["status"] == "rejected"
    assert steps(run) == [VALIDATE]


async def test_a_task_that_has_ended_keeps_its_end() -> None:
    """A lost run that is started again has the same result."""
    ended = {"task_id": "t1", "status": "completed", "completed_at": DONE_AT}
    run = start(answers={VALIDATE: {"valid": False, "reason": "has ended", "ended": ended}})

    assert await run.run_to_end() == ended


@pytest.mark.parametrize("given", [None, 7, "text", [], {}, {"task_id": "a b", "title": "x"}])
async def test_an_invalid_input_is_rejected(given: Any) -> None:
    """Any Dapr client may start the workflow with any input."""
    run = start(given)

    assert await run.run_to_end() == {"task_id": "", "status": "rejected", "completed_at": ""}
    assert run.calls == []


async def test_a_task_may_be_json_in_a_string() -> None:
    """The Dapr CLI passes every input so; the assignee may be missing."""
    run = start(json.dumps({"task_id": "t1", "title": "Sweep"}), [DONE])
    await run.run_to_end()

    assert run.calls[0].input["assignee"] == ""


async def test_a_task_that_cannot_be_assigned_fails() -> None:
    """After three attempts, one and two seconds apart, this is recorded and the workflow fails."""
    run = start(answers={ASSIGN: ConnectionError("nobody")})

    with pytest.raises(TaskFailedError, match="assign_task"):
        await run.run_to_end()

    assert steps(run) == [VALIDATE, ASSIGN, END]
    assert run.calls[-1].input["status"] == "failed"
    retry = run.calls[1].retry
    assert retry.max_number_of_attempts == 3
    assert retry.first_retry_interval == timedelta(seconds=1)
    assert retry.backoff_coefficient == 2.0


async def test_the_recorded_end_of_a_task_counts() -> None:
    """A task withdrawn while it was being completed stays withdrawn."""
    recorded = {"task_id": "t1", "status": "withdrawn", "completed_at": ""}
    run = start(happenings=[DONE], answers={TELL: recorded})

    assert await run.run_to_end() == recorded
