"""Dapr takes a late answer for the answer to another turn, unless the guard withholds it."""

from collections.abc import Callable, Iterator

import pytest

from orderflow_workflow_runtime.recorder import Recorder
from orderflow_workflow_runtime.upstream.torn_histories.guard import TurnGuard
from system.engine_platform import EnginePlatform
from system.shop import wait_for
from system.upstream.scripted import FAULT_SECONDS, ScriptedWorker, end, fault_of, schedule
from torn.repeated import has_repeated_action

NewWorker = Callable[..., ScriptedWorker]


@pytest.fixture
def recorder(engine_platform: EnginePlatform) -> Iterator[Recorder]:
    recorder = Recorder(engine_platform.address)
    yield recorder
    recorder.close()


@pytest.fixture
def guard(engine_platform: EnginePlatform) -> Iterator[TurnGuard]:
    guard = TurnGuard(engine_platform.address)
    yield guard
    guard.close()


def test_a_late_answer_corrupts_the_history(new_worker: NewWorker, recorder: Recorder) -> None:
    """It ends the second attempt at the turn, whose own answer then ends the next turn."""
    worker = new_worker()
    worker.connect()
    instance_id = worker.start("torn")
    first = worker.newest_turn(instance_id)
    worker.disconnect()
    worker.connect()
    second = worker.newest_turn(instance_id)

    with fault_of("torn_histories"):
        worker.answer(first, schedule(0, "step"))
        worker.complete(worker.activity())
        worker.newest_turn(instance_id)
        worker.answer(second, schedule(0, "step"))
        wait_for(
            "an action twice",
            lambda: has_repeated_action(recorder.record(instance_id).events),
            FAULT_SECONDS,
        )


def test_the_guard_keeps_the_history_intact(
    new_worker: NewWorker, recorder: Recorder, guard: TurnGuard
) -> None:
    """The late answer is not sent, and each turn gets one answer."""
    worker = new_worker(guard.interceptor)
    worker.connect()
    instance_id = worker.start("torn")
    first = worker.newest_turn(instance_id)
    worker.disconnect()
    worker.connect()
    second = worker.newest_turn(instance_id)

    worker.answer(first, schedule(0, "step"))
    worker.answer(second, schedule(0, "step"))
    worker.complete(worker.activity())
    worker.answer(worker.newest_turn(instance_id), end(1))

    worker.wait_until_finished(instance_id)
    assert not has_repeated_action(recorder.record(instance_id).events)
