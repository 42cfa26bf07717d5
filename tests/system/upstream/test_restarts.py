"""A turn can be restarted, which the guard against torn histories relies on."""

import time
from collections.abc import Callable

import grpc

from orderflow_workflow_runtime.upstream.torn_histories.attempts import Attempt
from orderflow_workflow_runtime.upstream.torn_histories.restarts import Restarts
from orderflow_workflow_runtime.upstream.torn_histories.turns import Step, Turns
from system.engine_platform import EnginePlatform
from system.shop import wait_for
from system.upstream.scripted import COMPLETED, ScriptedWorker, end


def wait_until_restarted(turns: Turns, restarts: Restarts) -> None:
    """Wait until the restart has been sent, and for the reply."""

    def is_restarted() -> bool:
        restarts.begin_due()
        return Step.WAKE in (hold.step for hold in turns._held.values())

    wait_for("the restart", is_restarted)


def test_a_restart_ends_the_pending_attempt_and_another_follows(
    engine_platform: EnginePlatform, new_worker: Callable[..., ScriptedWorker]
) -> None:
    """The new attempt is at the same turn, and a superfluous answer is not refused."""
    worker = new_worker()
    worker.connect()
    instance_id = worker.start("turning")
    first = worker.turn()
    turns = Turns()
    turns.open(time.time())
    with grpc.insecure_channel(engine_platform.address) as channel:
        restarts = Restarts(turns, channel)

        assert not turns.take(first, time.time()), "it began before the stream was opened"

        wait_until_restarted(turns, restarts)

    second = worker.turn()
    assert turns.take(second, time.time())
    before, after = (Attempt.of(item.workflowRequest, "", 0.0) for item in (first, second))
    assert (after.execution, after.written, after.events) == (
        before.execution,
        before.written,
        before.events,
    )
    assert after.began_at > before.began_at
    worker.answer(second, end(0, "1"))
    state = worker.wait_until_finished(instance_id)
    assert state.workflowStatus == COMPLETED
    worker.answer(second, end(0, "1"))
