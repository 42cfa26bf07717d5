"""Without the repair, the SDK cannot pause a workflow twice or resume a running one."""

from collections.abc import Generator
from types import MethodType
from typing import Any

from dapr.ext.workflow._durabletask import worker as sdk_worker
from dapr.ext.workflow._durabletask.internal import protos

from orderflow_workflow_runtime.upstream.pausing import repair_pausing
from system.upstream.scripted import (
    COMPLETED,
    ScriptedWorker,
    actions_of,
    executor_of,
    fault_of,
)


class Endless(BaseException):
    """Raised where the executor would never end."""


class Bounded(list[Any]):
    """A list that refuses to grow without end."""

    def append(self, item: Any) -> None:
        if len(self) > 100:
            raise Endless
        super().append(item)


def waiting(ctx: Any, _: Any) -> Generator[Any, Any, Any]:
    """Wait for an event and return its payload."""
    return (yield ctx.wait_for_external_event("event"))


def unrepaired() -> Any:
    """Return the SDK's executor as it is, made to stop where it would never end."""
    repair_pausing()
    executor = executor_of(waiting)
    original: Any = sdk_worker._OrchestrationExecutor.process_event
    executor.process_event = MethodType(original.__wrapped__, executor)
    executor._suspended_events = Bounded()
    return executor


def is_endless(turn: Any) -> bool:
    """Return whether the unrepaired executor never finishes a turn."""
    try:
        actions_of(unrepaired(), turn)
    except Endless:
        return True
    return False


def answer(worker: ScriptedWorker, turn: Any) -> None:
    """Answer a turn with the repaired executor."""
    repair_pausing()
    worker.answer(turn, *actions_of(executor_of(waiting), turn))


def raise_event(worker: ScriptedWorker, instance_id: str) -> None:
    """Raise the event that the workflow waits for, and answer the turn."""
    request = protos.RaiseEventRequest(instanceId=instance_id, name="event")
    raising = worker.hub.RaiseEvent.future(request, timeout=10)
    answer(worker, worker.turn())
    raising.result()


def resume(worker: ScriptedWorker, instance_id: str) -> Any:
    """Start to resume an instance; the call returns after the turn."""
    request = protos.ResumeRequest(instanceId=instance_id)
    return worker.hub.ResumeInstance.future(request, timeout=10)


def test_a_workflow_that_is_paused_twice_can_be_resumed(worker: ScriptedWorker) -> None:
    """Without the repair, events raised during the pause are processed for ever."""
    instance_id = worker.start("waiting")
    answer(worker, worker.turn())
    for _ in range(2):
        suspending = worker.hub.SuspendInstance.future(
            protos.SuspendRequest(instanceId=instance_id), timeout=10
        )
        answer(worker, worker.turn())
        suspending.result()
    raise_event(worker, instance_id)
    resuming = resume(worker, instance_id)
    turn = worker.turn()

    with fault_of("pausing.py"):
        assert is_endless(turn)
    answer(worker, turn)
    resuming.result()
    assert worker.wait_until_finished(instance_id).workflowStatus == COMPLETED


def test_a_running_workflow_can_be_resumed(worker: ScriptedWorker) -> None:
    """Without the repair, it fails."""
    instance_id = worker.start("waiting")
    answer(worker, worker.turn())
    resuming = resume(worker, instance_id)
    turn = worker.turn()

    with fault_of("pausing.py"):
        ends = [a.completeWorkflow for a in actions_of(unrepaired(), turn)]
        assert [end.workflowStatus for end in ends] == [protos.ORCHESTRATION_STATUS_FAILED]
    answer(worker, turn)
    resuming.result()
    raise_event(worker, instance_id)
    assert worker.wait_until_finished(instance_id).workflowStatus == COMPLETED
