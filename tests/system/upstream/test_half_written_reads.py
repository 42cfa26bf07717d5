"""Dapr cannot read an instance that is being written, so reads are repeated."""

import threading

import pytest
from dapr.ext.workflow._durabletask.internal import protos

from orderflow_workflow_runtime import DaprEngine, EngineUnavailable
from orderflow_workflow_runtime.recorder import Recorder
from system.engine_platform import EnginePlatform
from system.upstream.scripted import ScriptedWorker, end, fault_of


class Hidden:
    """Removes a key from the store, as in the middle of a write, until it is shown again."""

    def __init__(self, platform: EnginePlatform, instance_id: str) -> None:
        self._store = platform.store
        (self._key,) = self._store.scan_iter(match=f"*||{instance_id}||history-000000")
        self._store.rename(self._key, "hidden")

    def show(self) -> None:
        """Put the key back."""
        self._store.rename("hidden", self._key)
        self._store.close()

    def show_soon(self) -> None:
        """Put the key back while a read is being repeated."""
        threading.Timer(0.2, self.show).start()


def completed(worker: ScriptedWorker) -> str:
    """Return the id of an instance that has completed."""
    instance_id = worker.start("written")
    worker.answer(worker.turn(), end(0))
    worker.wait_until_finished(instance_id)
    return instance_id


async def test_a_read_is_repeated_while_the_instance_is_written(
    engine_platform: EnginePlatform, worker: ScriptedWorker, engine: DaprEngine
) -> None:
    """Without repetition the call fails, and only the error text gives the reason."""
    instance_id = completed(worker)
    hidden = Hidden(engine_platform, instance_id)

    request = protos.GetInstanceHistoryRequest(instanceId=instance_id)
    with fault_of("half_written_reads.py"):
        error = worker.hub.GetInstanceHistory.future(request, timeout=10).exception()
        assert error is not None
        assert "missing from state store" in error.details()
    hidden.show_soon()
    assert await engine.history(instance_id)


def test_a_recording_is_repeated_while_the_instance_is_written(
    engine_platform: EnginePlatform, worker: ScriptedWorker
) -> None:
    """The recorder gets the whole history."""
    instance_id = completed(worker)
    recorder = Recorder(engine_platform.address)

    Hidden(engine_platform, instance_id).show_soon()

    assert recorder.record(instance_id).events
    recorder.close()


async def test_reads_of_a_missing_key_end_with_an_error(
    engine_platform: EnginePlatform, worker: ScriptedWorker, engine: DaprEngine
) -> None:
    """A read is not repeated for ever."""
    instance_id = completed(worker)
    hidden = Hidden(engine_platform, instance_id)

    with pytest.raises(EngineUnavailable, match="missing from state store"):
        await engine.history(instance_id)

    hidden.show()
