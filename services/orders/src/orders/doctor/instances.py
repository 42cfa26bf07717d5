"""Workflows in the engine that should belong to an order or a batch on record."""

import time
from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from orderflow_contracts.doctor import TASK_MISSING, UNKNOWN_INSTANCE
from orderflow_hosting.doctor import Disagreement, Look
from orderflow_workflow_runtime.instances import Instance, RuntimeStatus
from orderflow_workflow_runtime.ports import ManagedEngine
from orders import workflow_names as names
from orders.doctor.damage import or_damaged
from orders.doctor.store import AT_ONCE, DoctorStore
from orders.own_instances import BATCHES, UNDOS
from orders.tasks.store import TaskStore

PAGE: Final = 20_000
"""This many ids fit into a reply of 4 MiB; each page costs the engine a scan of its store."""
SHARE: Final = 50
"""After a page, the reconciler reads no other for this many times as long as the page took."""


PATIENCE: Final = timedelta(seconds=30)
"""The first step of a task's workflow, which stores the task, is retried if it fails."""


class UnknownInstances:
    """Each workflow of an order, a batch or a task of an order belongs to one that is stored.

    An order and a batch are recorded before their workflows are started, so nothing is in flight.
    """

    name = "the workflows in the engine"

    def __init__(self, store: DoctorStore, tasks: TaskStore, engine: ManagedEngine) -> None:
        self._store = store
        self._tasks = tasks
        self._engine = engine
        self._rests_until = 0.0

    @property
    def pages_in_a_round(self) -> int:
        """None while the check rests, because the last listing took long."""
        return 1 if time.monotonic() >= self._rests_until else 0

    async def page(self, after: str | None) -> Look:
        """Look at the next ids that the engine lists."""
        began_at = time.monotonic()
        ids, following = await self._engine.ids(PAGE, after)
        subjects = {each: subject_of(each) for each in ids}
        known = await self._store.known_ids(set(subjects.values()))
        strange = {each for each, subject in subjects.items() if subject not in known}
        found = [
            await or_damaged(f"workflow {each}", self._examine(each)) for each in sorted(strange)
        ]
        found += await self._without_task([each for each in ids if each not in strange])
        self._rests_until = began_at + (time.monotonic() - began_at) * SHARE
        return Look([each for each in found if each is not None], following)

    async def of(self, subject: str) -> Sequence[Disagreement]:
        """Look at the workflows that an order with this id would have."""
        if await self._store.known_ids([subject]):
            found = await self._without_task([f"{names.PICK_PREFIX}{subject}"])
            return [each for each in found if each is not None]
        ids = (subject, UNDOS.id_of(subject), BATCHES.id_of(subject))
        found = [await or_damaged(f"workflow {each}", self._examine(each)) for each in ids]
        return [each for each in found if each is not None]

    async def _examine(self, instance_id: str) -> Disagreement | None:
        instance = await self._engine.instance(instance_id, payloads=False)
        if instance is None or instance.name not in names.ORDER_WORKFLOWS:
            return None
        if instance.runtime_status is RuntimeStatus.TERMINATED:
            return None
        return self._unknown(instance)

    async def _without_task(self, ids: Sequence[str]) -> list[Disagreement | None]:
        """Look at the workflows of orders' tasks that are not stored."""
        of_tasks = {_task_of(each): each for each in ids if each.startswith(names.PICK_PREFIX)}
        task_ids = list(of_tasks)
        missing: list[str] = []
        for start in range(0, len(task_ids), AT_ONCE):
            some = task_ids[start : start + AT_ONCE]
            missing += sorted(set(some) - await self._tasks.known(some))
        return [
            await or_damaged(f"task {each}", self._examine_task(of_tasks[each])) for each in missing
        ]

    async def _examine_task(self, instance_id: str) -> Disagreement | None:
        instance = await self._engine.instance(instance_id, payloads=False)
        if instance is None or instance.runtime_status.is_finished:
            return None
        if self._store.clock() - instance.created_at < PATIENCE:
            return None
        what = f"workflow {instance_id} is {instance.runtime_status}, but its task is not stored"
        return Disagreement(TASK_MISSING, f"task {_task_of(instance_id)}", what)

    def _unknown(self, instance: Instance) -> Disagreement:
        async def terminate() -> None:
            await self._engine.terminate(instance.instance_id, "no order or batch asked for it")

        return Disagreement(
            UNKNOWN_INSTANCE,
            f"workflow {instance.instance_id}",
            f"{instance.name} is {instance.runtime_status}, and no order or batch has its ID",
            instance.runtime_status,
            None if instance.runtime_status.is_finished else terminate,
        )


def subject_of(instance_id: str) -> str:
    """Return the order or the batch whose id an instance has.

    >>> subject_of("o-1"), subject_of("undo.o-1.2"), subject_of("pick.o-1"), subject_of("batch.b")
    ('o-1', 'o-1', 'o-1', 'b')
    """
    prefix, dot, rest = instance_id.partition(".")
    if dot:
        return rest.partition(".")[0]
    for own in (UNDOS, BATCHES):
        if prefix.startswith(own.former_prefix):
            return own.subject_of(prefix).partition(".")[0]
    return prefix


def _task_of(instance_id: str) -> str:
    return f"{names.PICK_TASK_PREFIX}{instance_id.removeprefix(names.PICK_PREFIX)}"
