"""What every implementation of the engine's ports must do, the fakes and the real client.

Subclass `EngineTests` or `ManagedEngineTests` under a name that pytest collects, and give it a
fixture `subject`.
"""

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Protocol

import pytest

from fakes.waiting import until
from orderflow_workflow_runtime import (
    AlreadyRunning,
    CannotRerun,
    Engine,
    EngineUnavailable,
    Instance,
    ManagedEngine,
    NoSuchInstance,
    RuntimeStatus,
)

UNKNOWN = "unheard-of"


class Subject(Protocol):
    """An engine, and a workflow that waits for the events `first` and `second`."""

    workflow: str
    payload: Any

    @property
    def engine(self) -> Engine:
        """The engine."""
        ...

    async def finish(self, instance_id: str) -> None:
        """Let an instance complete."""
        ...

    async def received(self, instance_id: str) -> list[Any]:
        """Return the payloads that a completed instance has received as `first` and `second`."""
        ...


class ManagedSubject(Subject, Protocol):
    """The same for an engine that can be managed."""

    @property
    def engine(self) -> ManagedEngine:
        """The engine."""
        ...


class EngineTests:
    """Tests of starting workflows and raising events."""

    async def test_a_started_instance_runs_with_its_input(self, subject: Subject) -> None:
        """It has the workflow's name, and times with a time zone."""
        async with running(subject) as instance_id:
            instance = await subject.engine.instance(instance_id)
            assert instance is not None
            assert (instance.instance_id, instance.name) == (instance_id, subject.workflow)
            assert instance.input == subject.payload.model_dump(mode="json")
            assert instance.created_at.tzinfo
            assert instance.created_at <= instance.last_updated_at

    async def test_payloads_can_be_omitted(self, subject: Subject) -> None:
        """The other fields are returned."""
        async with running(subject) as instance_id:
            instance = await subject.engine.instance(instance_id, payloads=False)
            assert instance is not None
            assert instance.name == subject.workflow
            assert instance.input is None

    async def test_an_active_id_cannot_be_started_again(self, subject: Subject) -> None:
        """This holds whichever workflow is started."""
        async with running(subject) as instance_id:
            with pytest.raises(AlreadyRunning):
                await subject.engine.start(subject.workflow, instance_id, subject.payload)

    async def test_a_finished_id_can_be_started_again(self, subject: Subject) -> None:
        """The new instance replaces the old one."""
        async with running(subject) as instance_id:
            await subject.finish(instance_id)
            await wait_for_status(subject, instance_id, RuntimeStatus.COMPLETED)

            await subject.engine.start(subject.workflow, instance_id, subject.payload)

            await wait_for_status(subject, instance_id, RuntimeStatus.RUNNING)

    async def test_an_unknown_instance_is_none(self, subject: Subject) -> None:
        """Nothing is raised."""
        assert await subject.engine.instance(UNKNOWN) is None

    async def test_an_event_for_an_unknown_instance_is_an_error(self, subject: Subject) -> None:
        """The caller gets an error."""
        with pytest.raises(NoSuchInstance):
            await subject.engine.raise_event(UNKNOWN, "first", 1)

    async def test_a_finished_instance_ignores_events(self, subject: Subject) -> None:
        """The caller gets no error."""
        async with running(subject) as instance_id:
            await subject.finish(instance_id)
            await wait_for_status(subject, instance_id, RuntimeStatus.COMPLETED)

            await subject.engine.raise_event(instance_id, "first", 1)

            await wait_for_status(subject, instance_id, RuntimeStatus.COMPLETED)

    async def test_an_event_may_arrive_before_the_workflow_waits(self, subject: Subject) -> None:
        """It is buffered, whatever its JSON value."""
        async with running(subject) as instance_id:
            await subject.engine.raise_event(instance_id, "second", {"a": [0]})
            await subject.engine.raise_event(instance_id, "first", 0)

            await subject.finish(instance_id)
            await wait_for_status(subject, instance_id, RuntimeStatus.COMPLETED)

            assert await subject.received(instance_id) == [0, {"a": [0]}]


class ManagedEngineTests(EngineTests):
    """Tests of the operations for operators."""

    async def test_an_instance_can_be_paused_and_resumed_twice(
        self, subject: ManagedSubject
    ) -> None:
        """The second time changes nothing."""
        engine = subject.engine
        async with running(subject) as instance_id:
            for _ in range(2):
                await engine.pause(instance_id)
                await wait_for_status(subject, instance_id, RuntimeStatus.SUSPENDED)
            for _ in range(2):
                await engine.resume(instance_id)
                await wait_for_status(subject, instance_id, RuntimeStatus.RUNNING)

    async def test_a_terminated_instance_has_its_output(self, subject: ManagedSubject) -> None:
        """An output such as 0 is kept, too."""
        async with running(subject) as instance_id:
            await subject.engine.terminate(instance_id, 0)

            instance = await wait_for_status(subject, instance_id, RuntimeStatus.TERMINATED)
            assert instance.output == 0
            assert instance.output is not None

    async def test_a_finished_instance_cannot_be_changed(self, subject: ManagedSubject) -> None:
        """It cannot be paused, resumed or terminated; the caller gets no error."""
        engine = subject.engine
        async with running(subject) as instance_id:
            await subject.finish(instance_id)
            before = await wait_for_status(subject, instance_id, RuntimeStatus.COMPLETED)

            await engine.pause(instance_id)
            await engine.resume(instance_id)
            await engine.terminate(instance_id, "over")

            after = await wait_for_status(subject, instance_id, RuntimeStatus.COMPLETED)
            assert after.output == before.output

    async def test_operations_on_an_unknown_instance_are_errors(
        self, subject: ManagedSubject
    ) -> None:
        """The caller gets an error."""
        engine = subject.engine
        for call in (engine.pause, engine.resume, engine.terminate, engine.purge, engine.history):
            with pytest.raises(NoSuchInstance):
                await call(UNKNOWN)

    async def test_a_purged_instance_is_unknown(self, subject: ManagedSubject) -> None:
        """It cannot be purged again."""
        async with running(subject) as instance_id:
            await subject.finish(instance_id)
            await wait_for_status(subject, instance_id, RuntimeStatus.COMPLETED)

            await subject.engine.purge(instance_id)

            assert await subject.engine.instance(instance_id) is None
            with pytest.raises(NoSuchInstance):
                await subject.engine.purge(instance_id)

    async def test_an_active_instance_is_not_purged(self, subject: ManagedSubject) -> None:
        """The caller gets an error, though not a distinct one."""
        async with running(subject) as instance_id:
            with pytest.raises(EngineUnavailable):
                await subject.engine.purge(instance_id)

            await wait_for_status(subject, instance_id, RuntimeStatus.RUNNING)

    async def test_ids_are_listed_in_pages(self, subject: ManagedSubject) -> None:
        """Together the pages have every id once."""
        async with running(subject) as first, running(subject) as second:
            found: list[str] = []
            token: str | None = None
            while True:
                ids, token = await subject.engine.ids(1, token)
                assert len(ids) <= 1
                found += ids
                if token is None:
                    break
            assert found.count(first) == found.count(second) == 1

    async def test_a_history_starts_with_the_start_event(self, subject: ManagedSubject) -> None:
        """It ends with the end event, which has the total duration."""
        async with running(subject) as instance_id:
            early_history = await subject.engine.history(instance_id)
            assert "workflow_started" in [event.type for event in early_history]
            await subject.finish(instance_id)
            await wait_for_status(subject, instance_id, RuntimeStatus.COMPLETED)

            history = await subject.engine.history(instance_id)

            assert history[: len(early_history)] == early_history
            assert history[-1].type == "workflow_completed"
            assert history[-1].duration_seconds is not None

    async def test_finished_waits_for_the_end(self, subject: ManagedSubject) -> None:
        """It returns the finished instance."""
        async with running(subject) as instance_id:
            await subject.finish(instance_id)

            instance = await subject.engine.finished(instance_id, 10)

            assert instance is not None
            assert instance.runtime_status is RuntimeStatus.COMPLETED

    async def test_an_unknown_instance_is_waited_for(self, subject: ManagedSubject) -> None:
        """It may be started later."""
        with pytest.raises(TimeoutError):
            await subject.engine.finished(UNKNOWN, 0.2)

    async def test_a_finished_instance_can_be_rerun(self, subject: ManagedSubject) -> None:
        """The rerun starts at a marked event, under a given or generated id."""
        async with running(subject) as instance_id:
            await subject.finish(instance_id)
            await wait_for_status(subject, instance_id, RuntimeStatus.COMPLETED)
            history = await subject.engine.history(instance_id)
            event_id = next(event.event_id for event in history if event.is_rerunnable)
            assert event_id is not None

            made_up = await subject.engine.rerun(instance_id, event_id, None)
            given = await subject.engine.rerun(instance_id, event_id, f"{instance_id}-again")

            assert given == f"{instance_id}-again"
            for rerun in (made_up, given):
                await wait_for_status(subject, rerun, RuntimeStatus.RUNNING)
                await subject.finish(rerun)
                await wait_for_status(subject, rerun, RuntimeStatus.COMPLETED)
            with pytest.raises(AlreadyRunning):
                await subject.engine.rerun(instance_id, event_id, given)

    async def test_invalid_reruns_are_errors(self, subject: ManagedSubject) -> None:
        """The instance is active or unknown, or the event does not exist."""
        async with running(subject) as instance_id:
            with pytest.raises(CannotRerun):
                await subject.engine.rerun(instance_id, 0, "never")
            await subject.finish(instance_id)
            await wait_for_status(subject, instance_id, RuntimeStatus.COMPLETED)
            with pytest.raises(CannotRerun):
                await subject.engine.rerun(instance_id, 77, "never")
        with pytest.raises(CannotRerun):
            await subject.engine.rerun(UNKNOWN, 0, "never")


@asynccontextmanager
async def running(subject: Subject) -> AsyncIterator[str]:
    """Start an instance, and let it complete at the end if it has not."""
    instance_id = f"conformance-{secrets.token_hex(4)}"
    await subject.engine.start(subject.workflow, instance_id, subject.payload)
    await wait_for_status(subject, instance_id, RuntimeStatus.RUNNING)
    yield instance_id
    instance = await subject.engine.instance(instance_id)
    if instance is not None and not instance.runtime_status.is_finished:
        await subject.finish(instance_id)
        await wait_for_status(subject, instance_id, RuntimeStatus.COMPLETED)


async def wait_for_status(subject: Subject, instance_id: str, status: RuntimeStatus) -> Instance:
    """Wait until an instance has a status, and return the instance."""
    found: list[Instance] = []

    async def has_status() -> bool:
        instance = await subject.engine.instance(instance_id)
        found[:] = [instance] if instance is not None else []
        return bool(found) and found[0].runtime_status is status

    await until(has_status)
    return found[0]
