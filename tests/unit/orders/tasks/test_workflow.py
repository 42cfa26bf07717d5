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
async def test_a_task_ends_in_one_of_three_ways(
    happenings: list[Any], step: str, status: str, completed_at: str
) -> None:
    """It is done, its time is over, or it is withdrawn."""
    run = start(happenings=happenings)

    result = await run.run_to_end()

    assert result == {"task_id": "t1", "status": status, "completed_at": completed_at}
    assert steps(run) == [VALIDATE, ASSIGN, step]
    assert run.timers == [timedelta(hours=24)]


@pytest.mark.parametrize("garbage", [None, "done", 7, [], {}, {"completed_at": "yesterday"}])
async def test_garbage_does_not_complete_a_task(garbage: Any) -> None:
    """An event that tells no time of completion is waited past."""
    run = start(happenings=[Event("task_completed", garbage), DONE])

    assert (await run.run_to_end())["completed_at"] == DONE_AT


async def test_a_completion_that_came_early_is_not_lost() -> None:
    """Somebody may be done before the task is assigned."""
    assert (await start(early=[DONE]).run_to_end())["status"] == "completed"


async def test_a_task_has_its_own_time() -> None:
    """The wait is as long as the input says."""
    run = start({**TASK, "timeout_seconds": 5}, [TimerFires()])
    await run.run_to_end()

    assert run.timers == [timedelta(seconds=5)]


async def test_a_task_that_is_not_valid_is_rejected() -> None:
    """Nobody is given it."""
    run = start(answers={VALIDATE: {"valid": False, "reason": "the title is empty"}})

    assert (await run.run_to_end())["status"] == "rejected"
    assert steps(run) == [VALIDATE]


async def test_a_task_that_has_ended_keeps_its_end() -> None:
    """A run that was lost and started again comes to the same result."""
    ended = {"task_id": "t1", "status": "completed", "completed_at": DONE_AT}
    run = start(answers={VALIDATE: {"valid": False, "reason": "has ended", "ended": ended}})

    assert await run.run_to_end() == ended


@pytest.mark.parametrize("given", [None, 7, "text", [], {}, {"task_id": "a b", "title": "x"}])
async def test_what_is_no_task_is_rejected(given: Any) -> None:
    """Anyone may start the workflow through a sidecar, with anything."""
    run = start(given)

    assert await run.run_to_end() == {"task_id": "", "status": "rejected", "completed_at": ""}
    assert run.calls == []


async def test_a_task_may_come_as_a_text() -> None:
    """So does the Dapr CLI hand over every input, and an assignee may be missing."""
    run = start(json.dumps({"task_id": "t1", "title": "Sweep"}), [DONE])
    await run.run_to_end()

    assert run.calls[0].input["assignee"] == ""


async def test_a_task_that_nobody_takes_fails() -> None:
    """Three attempts, after one second and two; then it is recorded, and the workflow fails."""
    run = start(answers={ASSIGN: ConnectionError("nobody")})

    with pytest.raises(TaskFailedError, match="assign_task"):
        await run.run_to_end()

    assert steps(run) == [VALIDATE, ASSIGN, END]
    assert run.calls[-1].input["status"] == "failed"
    retry = run.calls[1].retry
    assert retry.max_number_of_attempts == 3
    assert retry.first_retry_interval == timedelta(seconds=1)
    assert retry.backoff_coefficient == 2.0


async def test_the_end_on_record_is_the_end() -> None:
    """A task that was withdrawn while it was being completed stays withdrawn."""
    kept = {"task_id": "t1", "status": "withdrawn", "completed_at": ""}
    run = start(happenings=[DONE], answers={TELL: kept})

    assert await run.run_to_end() == kept
