"""The practice workflow that counts for ever."""

from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from fakes.workflow_run import TimerFires, WorkflowRun
from orders.management.counter_workflow import never_ending_workflow
from orders.management.messages import Count


async def nothing(name: str, payload: Any) -> object:
    raise AssertionError(f"{name} was called with {payload}")


def counting(start: Any) -> WorkflowRun:
    return WorkflowRun(never_ending_workflow, start, nothing, happenings=[TimerFires()])


async def test_it_shows_its_count_and_continues_as_new() -> None:
    """Each turn starts a new history, which stays small, and keeps buffered events."""
    run = counting(Count(value=5, pause_seconds=0.25))

    assert await run.run_to_end() is None

    assert run.custom_status == "5"
    assert run.timers == [timedelta(seconds=0.25)]
    assert run.continued_with == [({"value": 6, "pause_seconds": 0.25}, True)]


@pytest.mark.parametrize(
    ("start", "count"),
    [
        (None, Count(value=0, pause_seconds=1)),
        (7, Count(value=7, pause_seconds=1)),
        ("7", Count(value=7, pause_seconds=1)),
        ({"value": 3}, Count(value=3, pause_seconds=1)),
        ({"value": 3, "pause_seconds": 2.5}, Count(value=3, pause_seconds=2.5)),
    ],
)
async def test_it_can_be_started_without_the_service(start: Any, count: Count) -> None:
    """Its input may then be missing, a number, or its own from an earlier turn."""
    run = counting(start)

    await run.run_to_end()

    assert run.continued_with == [(count.next().model_dump(), True)]


@pytest.mark.parametrize("start", ["five", [1], {"value": "five"}])
async def test_an_invalid_count_fails_the_workflow(start: Any) -> None:
    """Its status gives the reason."""
    with pytest.raises(ValidationError):
        await counting(start).run_to_end()
