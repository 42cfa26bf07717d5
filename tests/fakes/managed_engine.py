"""The workflow engine in memory, with the operations for operators."""

import asyncio
import uuid
from datetime import datetime, timedelta
from typing import Any

from pydantic import BaseModel

from orderflow_contracts.fields import now
from orderflow_workflow_runtime.histories import Recording
from orderflow_workflow_runtime.instances import Failure, HistoryEvent, Instance, RuntimeStatus
from orderflow_workflow_runtime.ports import (
    AlreadyRunning,
    CannotRerun,
    EngineUnavailable,
    InstanceDamaged,
    NoSuchInstance,
)

KEPT = object()


class ManagedMemoryEngine:
    """Implements orders' `ManagedEngine`; operations take effect at once.

    Its pages are offsets into the sorted ids, as those of the real engine are.
    """

    def __init__(self) -> None:
        self.instances: dict[str, Instance] = {}
        self.histories: dict[str, list[HistoryEvent]] = {}
        self.raised: list[tuple[str, str, Any]] = []
        self.purged: list[str] = []
        self.recordings: dict[str, list[Any]] = {}
        self.cannot_discard: set[str] = set()
        self.discarded: list[tuple[str, bool]] = []
        self.reruns: list[tuple[str, int, str | None, Any]] = []
        self.list_calls = 0
        self.is_down = False
        self.damaged: set[str] = set()
        self.being_written: set[str] = set()
        self.read: list[str] = []
        self.loses_before_purge: set[str] = set()
        self.waiting = asyncio.Event()
        self._changed = asyncio.Condition()

    def put(
        self,
        instance_id: str,
        status: RuntimeStatus = RuntimeStatus.RUNNING,
        *,
        name: str = "interactive_hello_workflow",
        age: timedelta = timedelta(),
        failure: Failure | None = None,
        payload: Any = None,
    ) -> Instance:
        """Add an instance, last updated this long ago."""
        at: datetime = now() - age
        instance = Instance(
            instance_id=instance_id,
            name=name,
            runtime_status=status,
            created_at=at,
            last_updated_at=at,
            input=payload,
            failure=failure,
        )
        self.instances[instance_id] = instance
        return instance

    def status_of(self, instance_id: str) -> RuntimeStatus:
        return self.instances[instance_id].runtime_status

    async def start(self, workflow: str, instance_id: str, payload: Any) -> None:
        self._answer()
        present = self.instances.get(instance_id)
        if present is not None and not present.runtime_status.is_finished:
            raise AlreadyRunning(instance_id)
        data = payload.model_dump(mode="json") if isinstance(payload, BaseModel) else payload
        self.put(instance_id, name=workflow, payload=data)

    async def instance(
        self,
        instance_id: str,
        *,
        payloads: bool = True,
        patient: bool = True,
    ) -> Instance | None:
        self._answer()
        self.read.append(instance_id)
        if not patient and instance_id in self.being_written:
            raise InstanceDamaged("history key missing from state store")
        if instance_id in self.damaged:
            raise InstanceDamaged("history key missing from state store")
        instance = self.instances.get(instance_id)
        if instance is None or payloads:
            return instance
        return instance.model_copy(update={"input": None, "output": None})

    async def raise_event(self, instance_id: str, event: str, payload: Any) -> None:
        if not self._get(instance_id).runtime_status.is_finished:
            self.raised.append((instance_id, event, payload))

    async def pause(self, instance_id: str) -> None:
        await self._move(instance_id, RuntimeStatus.SUSPENDED)

    async def resume(self, instance_id: str) -> None:
        await self._move(instance_id, RuntimeStatus.RUNNING)

    async def terminate(self, instance_id: str, output: Any = None) -> None:
        await self._move(instance_id, RuntimeStatus.TERMINATED, output=output)

    async def purge(self, instance_id: str) -> None:
        if instance_id in self.loses_before_purge:
            raise NoSuchInstance(instance_id)
        if not self._get(instance_id).runtime_status.is_finished:
            raise EngineUnavailable("orchestration has not yet completed")
        del self.instances[instance_id]
        self.purged.append(instance_id)

    async def rerun(
        self, instance_id: str, event_id: int, new_instance_id: str | None, payload: Any = KEPT
    ) -> str:
        self._answer()
        instance = self.instances.get(instance_id)
        if instance is None or not instance.runtime_status.is_finished:
            raise CannotRerun(f"{instance_id} has not finished")
        events = self.histories.get(instance_id, [])
        if not any(event.event_id == event_id and event.is_rerunnable for event in events):
            raise CannotRerun(f"there is no task {event_id} to run again from")
        new = new_instance_id or uuid.uuid4().hex
        if new in self.instances:
            raise AlreadyRunning(new)
        self.reruns.append((instance_id, event_id, new_instance_id, payload))
        self.put(new, name=instance.name)
        return new

    async def finished(self, instance_id: str, within: float) -> Instance | None:
        self.waiting.set()
        async with asyncio.timeout(within), self._changed:
            await self._changed.wait_for(lambda: self._is_finished(instance_id))
        return self.instances[instance_id]

    async def ids(self, limit: int, token: str | None) -> tuple[list[str], str | None]:
        self._answer()
        self.list_calls += 1
        ids, start = sorted(self.instances), int(token or 0)
        end = start + limit
        return ids[start:end], str(end) if end < len(ids) else None

    async def history(self, instance_id: str) -> list[HistoryEvent]:
        instance = self._get(instance_id)
        return self.histories.get(instance_id) or _history_of(instance)

    async def recording(self, instance_id: str) -> Recording:
        self._get(instance_id)
        return Recording.of(instance_id, self.recordings.get(instance_id, []), {}, now())

    async def discard(self, instance_id: str, *, with_children: bool) -> None:
        self._answer()
        if instance_id in self.cannot_discard:
            raise EngineUnavailable(instance_id)
        self.discarded.append((instance_id, with_children))
        self.recordings.pop(instance_id, None)
        self.instances.pop(instance_id, None)

    async def _move(self, instance_id: str, status: RuntimeStatus, output: Any = None) -> None:
        """Change an active instance; a finished one ignores it."""
        if not self._get(instance_id).runtime_status.is_finished:
            await self.become(instance_id, status, output)

    async def become(self, instance_id: str, status: RuntimeStatus, output: Any = None) -> None:
        """Change the status of an instance, and wake those who wait for its end."""
        instance = self._get(instance_id)
        async with self._changed:
            self.instances[instance_id] = instance.model_copy(
                update={"runtime_status": status, "output": output, "last_updated_at": now()}
            )
            self._changed.notify_all()

    def _is_finished(self, instance_id: str) -> bool:
        self._answer()
        instance = self.instances.get(instance_id)
        return instance is not None and instance.runtime_status.is_finished

    def _get(self, instance_id: str) -> Instance:
        self._answer()
        if instance_id not in self.instances:
            raise NoSuchInstance(instance_id)
        return self.instances[instance_id]

    def _answer(self) -> None:
        if self.is_down:
            raise EngineUnavailable("the engine is down")


def _history_of(instance: Instance) -> list[HistoryEvent]:
    """Return a minimal history of an instance."""
    history = [
        HistoryEvent(
            event_id=None, at=instance.created_at, type="workflow_started", name=instance.name
        )
    ]
    if instance.runtime_status.is_finished:
        age = instance.last_updated_at - instance.created_at
        history.append(
            HistoryEvent(
                event_id=None,
                at=instance.last_updated_at,
                type="workflow_completed",
                duration_seconds=age.total_seconds(),
                output=instance.output,
            )
        )
    return history
