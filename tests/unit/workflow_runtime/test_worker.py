"""The workflow worker where it corrects the SDK."""

import json
import logging
from collections.abc import Generator
from typing import Any

import pytest
from dapr.ext.workflow import WorkflowRuntime
from dapr.ext.workflow._durabletask import worker as sdk_worker
from dapr.ext.workflow._durabletask.internal import helpers, protos

from fakes.turn_engine import ID, work_item
from orderflow_workflow_runtime.upstream.pausing import repair_pausing
from orderflow_workflow_runtime.upstream.torn_histories.guard import skip_replaced
from orderflow_workflow_runtime.upstream.torn_histories.turns import Turns


def waiting_workflow(ctx: Any, _: Any) -> Generator[Any, Any, Any]:
    """Wait for two events and return them."""
    first = yield ctx.wait_for_external_event("first")
    second = yield ctx.wait_for_external_event("second")
    return [first, second]


def result_of(happened: list[Any], new: list[Any]) -> str | None:
    """Replay past events, process new ones, and return the result if there is one."""
    repair_pausing()
    registry = sdk_worker._Registry()
    registry.add_named_orchestrator("waiting", waiting_workflow)
    executor = sdk_worker._OrchestrationExecutor(registry, logging.getLogger("test"))
    actions = executor.execute("x", happened, new).actions
    ends = [action for action in actions if action.HasField("completeWorkflow")]
    return ends[0].completeWorkflow.result.value if ends else None


def started() -> list[Any]:
    return [
        protos.HistoryEvent(workflowStarted=protos.WorkflowStartedEvent()),
        helpers.new_execution_started_event("waiting", "x", None),
    ]


def raised(name: str, value: str) -> Any:
    return helpers.new_event_raised_event(name, f'"{value}"')


@pytest.mark.timeout(20)
@pytest.mark.parametrize("pauses", [1, 2, 5])
@pytest.mark.parametrize("in_one_turn", [True, False])
def test_a_workflow_may_be_paused_repeatedly(pauses: int, *, in_one_turn: bool) -> None:
    """One resume is enough; it processes the events raised meanwhile, in order."""
    paused = [helpers.new_suspend_event() for _ in range(pauses)]
    while_paused = [*paused, raised("first", "a"), raised("second", "b")]
    resumed = [helpers.new_resume_event()]

    if in_one_turn:
        result = result_of([], [*started(), *while_paused, *resumed])
    else:
        assert result_of(started(), while_paused) is None
        result = result_of([*started(), *while_paused], resumed)

    assert json.loads(result or "") == ["a", "b"]


def test_a_running_workflow_may_be_resumed() -> None:
    """This changes nothing: two operators may resume the same workflow."""
    resumed = helpers.new_resume_event()

    result = result_of(
        [*started(), resumed], [raised("first", "a"), resumed, raised("second", "b")]
    )

    assert json.loads(result or "") == ["a", "b"]


def test_a_turn_that_was_replaced_is_not_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """It may have waited long in the queue of the SDK's worker."""
    run: list[str] = []
    monkeypatch.setattr(
        sdk_worker.TaskHubGrpcWorker,
        "_execute_orchestrator",
        lambda _, request, token, teardown: run.append(f"{request.instanceId} {token} {teardown}"),
    )
    turns, runtime = Turns(), WorkflowRuntime("127.0.0.1", "1")
    skip_replaced(runtime, turns)
    execute = vars(runtime)["_WorkflowRuntime__worker"]._execute_orchestrator
    old, new = work_item(1.0, 0.5, 5, [1]), work_item(2.0, 0.5, 5, [1])
    assert turns.take(old, 1.0)
    assert turns.take(new, 2.0)

    for item in (old, new):
        execute(item.workflowRequest, item.completionToken, "teardown")

    assert run == [f"{ID} {new.completionToken} teardown"]
