"""The practice workflow: a slow greeting, then a wait for an event."""

from typing import Any

import pytest
from dapr.ext.workflow import TaskFailedError

from fakes.workflow_run import Event, WorkflowRun
from orders.management.activities import PARTS, HelloActivities
from orders.management.hello_workflow import interactive_hello_workflow

STEP = "interactive_hello_activity"


class Context:
    """The part of the workflow context that the step uses."""

    workflow_id = "iwf-demo"


async def greet(name: str, payload: Any) -> object:
    assert name == STEP
    return f"Hello, {payload}!"


@pytest.mark.parametrize("payload", [{"approved": True}, None, False, "yes"])
async def test_it_greets_and_waits_for_an_event(payload: object) -> None:
    """The result has the greeting, the event's payload and a status."""
    run = WorkflowRun(
        interactive_hello_workflow, "Ann", greet, happenings=[Event("approvalEvent", payload)]
    )

    result = await run.run_to_end()

    assert result == {
        "initial_greeting": "Hello, Ann!",
        "event_data": payload,
        "status": "Approved",
    }
    assert [call.name for call in run.calls] == [STEP]


async def test_an_event_may_arrive_before_the_workflow_waits() -> None:
    """It is kept while the step runs."""
    run = WorkflowRun(
        interactive_hello_workflow, "Ann", greet, early=[Event("approvalEvent", {"by": "Bob"})]
    )

    assert (await run.run_to_end())["event_data"] == {"by": "Bob"}


@pytest.mark.parametrize("nobody", [None, ""])
async def test_a_missing_name_is_replaced_by_a_default(nobody: str | None) -> None:
    """Without a name the greeting is for a user."""
    run = WorkflowRun(
        interactive_hello_workflow, nobody, greet, happenings=[Event("approvalEvent")]
    )

    assert (await run.run_to_end())["initial_greeting"] == "Hello, User!"


async def test_a_step_that_fails_fails_the_workflow() -> None:
    """The status shows the failure, and the workflow does not wait for an event."""

    async def fail(name: str, payload: Any) -> object:  # noqa: ARG001 # the signature of an answer
        raise ValueError("no voice")

    run = WorkflowRun(interactive_hello_workflow, "Ann", fail)

    with pytest.raises(TaskFailedError):
        await run.run_to_end()


async def test_the_step_works_in_ten_parts(capsys: pytest.CaptureFixture[str]) -> None:
    """The log shows each part with the instance id, which makes pausing visible."""
    step = HelloActivities(part_seconds=0)

    greeting = await step.interactive_hello_activity(Context(), "Ann")  # type: ignore[arg-type]

    assert greeting == "Hello, Ann!"
    output = capsys.readouterr().out
    assert output.count("hello_works") == PARTS == 10
    assert output.count("iwf-demo") == PARTS
