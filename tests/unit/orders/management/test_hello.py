"""The workflow to practise on: a slow step, then a wait for a person."""

from typing import Any

import pytest
from dapr.ext.workflow import TaskFailedError

from fakes.workflow_run import Event, WorkflowRun
from orders.management.activities import PARTS, HelloActivities
from orders.management.hello_workflow import interactive_hello_workflow

STEP = "interactive_hello_activity"


class Context:
    """What the step sees of its workflow."""

    workflow_id = "iwf-demo"


async def greet(name: str, payload: Any) -> object:
    assert name == STEP
    return f"Hello, {payload}!"


@pytest.mark.parametrize("payload", [{"approved": True}, None, False, "yes"])
async def test_it_greets_and_waits_for_a_person(payload: object) -> None:
    """The result is the greeting, whatever came with the event, and a status."""
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


async def test_an_event_may_come_before_it_is_waited_for() -> None:
    """It is kept while the step works."""
    run = WorkflowRun(
        interactive_hello_workflow, "Ann", greet, early=[Event("approvalEvent", {"by": "Bob"})]
    )

    assert (await run.run_to_end())["event_data"] == {"by": "Bob"}


@pytest.mark.parametrize("nobody", [None, ""])
async def test_somebody_is_greeted_in_any_case(nobody: str | None) -> None:
    """Without a name it is a user."""
    run = WorkflowRun(
        interactive_hello_workflow, nobody, greet, happenings=[Event("approvalEvent")]
    )

    assert (await run.run_to_end())["initial_greeting"] == "Hello, User!"


async def test_a_step_that_fails_fails_the_workflow() -> None:
    """It is seen in the status, and nobody waits for a person in vain."""

    async def fail(name: str, payload: Any) -> object:  # noqa: ARG001 # the signature of an answer
        raise ValueError("no voice")

    run = WorkflowRun(interactive_hello_workflow, "Ann", fail)

    with pytest.raises(TaskFailedError):
        await run.run_to_end()


async def test_the_step_works_in_ten_parts(capsys: pytest.CaptureFixture[str]) -> None:
    """The log shows how far it is, with the instance, so that one sees what a pause does."""
    step = HelloActivities(part_seconds=0)

    greeting = await step.interactive_hello_activity(Context(), "Ann")  # type: ignore[arg-type]

    assert greeting == "Hello, Ann!"
    output = capsys.readouterr().out
    assert output.count("hello_works") == PARTS == 10
    assert output.count("iwf-demo") == PARTS
