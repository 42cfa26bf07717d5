import json
from collections.abc import Generator
from datetime import timedelta
from typing import Any

import pytest
from dapr.ext.workflow import DaprWorkflowContext, RetryPolicy

from fakes.workflow_run import WorkflowRun
from orderflow_workflow_runtime.authoring.saga import Saga
from orders.ordering.messages import Undoing

WHY = Undoing(order_id="order-1", run_id="run-1", reason="denied")
RETRY = RetryPolicy(first_retry_interval=timedelta(seconds=1), max_number_of_attempts=3)


def undo_three(ctx: DaprWorkflowContext, why: Undoing) -> Generator[Any, Any, list[str]]:
    saga = Saga(ctx, RETRY)
    for step in ("first", "second", "third"):
        saga.register(f"undo_{step}")
    failed = yield from saga.undo(why)
    again = yield from saga.undo(why)
    return [*failed, *again]


def forget_one(ctx: DaprWorkflowContext, why: Undoing) -> Generator[Any, Any, list[str]]:
    saga = Saga(ctx, RETRY)
    saga.register("undo_first")
    saga.register("undo_second")
    saga.forget("undo_first")
    return (yield from saga.undo(why))


def nothing(ctx: DaprWorkflowContext, why: Undoing) -> Generator[Any, Any, list[str]]:
    return (yield from Saga(ctx, RETRY).undo(why))


def failing(*names: str) -> Any:
    async def answer(name: str, _: Any) -> None:
        if name in names:
            raise ConnectionError(name)

    return answer


async def test_steps_are_undone_newest_first_and_once() -> None:
    """Undoing goes backwards through the registered steps, and leaves none to undo again."""
    run = WorkflowRun(undo_three, WHY, failing())

    assert await run.run_to_end() == []
    assert [call.name for call in run.calls] == ["undo_third", "undo_second", "undo_first"]
    assert [call.input for call in run.calls] == [WHY.model_dump(mode="json")] * 3
    assert run.custom_status is None


@pytest.mark.parametrize("failed", [["undo_third"], ["undo_second"], ["undo_third", "undo_first"]])
async def test_undoing_goes_on_when_one_step_fails(failed: list[str]) -> None:
    """The other steps are still undone, and the failed ones are named."""
    run = WorkflowRun(undo_three, WHY, failing(*failed))

    assert await run.run_to_end() == failed
    assert len(run.calls) == 3
    assert json.loads(run.custom_status or "") == {"not_undone": failed}


async def test_a_removed_compensation_is_not_run() -> None:
    """A step that had no effect needs none."""
    run = WorkflowRun(forget_one, WHY, failing())

    await run.run_to_end()

    assert [call.name for call in run.calls] == ["undo_second"]


async def test_an_empty_saga_undoes_nothing() -> None:
    """Undoing it ends at once."""
    assert await WorkflowRun(nothing, WHY, failing()).run_to_end() == []


async def test_each_compensation_is_retried() -> None:
    """It has the saga's retry policy."""
    run = WorkflowRun(undo_three, WHY, failing())
    await run.run_to_end()

    assert {call.retry.max_number_of_attempts for call in run.calls} == {3}
