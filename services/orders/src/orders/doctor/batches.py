"""Batches that have not ended, and the workflows that must be working on them."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from orderflow_contracts.doctor import LOST_INSTANCE
from orderflow_hosting.doctor import Disagreement, Look
from orderflow_hosting.doctor.checks import Heal
from orderflow_workflow_runtime.ports import ManagedEngine
from orders.batches.service import Batches
from orders.doctor.damage import or_damaged
from orders.doctor.store import DoctorStore, OpenBatch
from orders.own_instances import BATCHES

PAGE: Final = 50
STOPPED_PATIENCE: Final = timedelta(seconds=60)
PATIENCE: Final = timedelta(minutes=6)
"""A batch may pause for five minutes before it looks again whether all its orders have ended."""


class BatchRuns:
    """Each unfinished batch has a workflow in the engine, and ends once its orders have ended."""

    name = "the workflows of batches"
    pages_in_a_round = 1

    def __init__(self, store: DoctorStore, engine: ManagedEngine, batches: Batches) -> None:
        self._store = store
        self._engine = engine
        self._batches = batches

    async def page(self, after: str | None) -> Look:
        """Compare the next unfinished batches by number."""
        batches = await self._store.open_batches(int(after or 0), PAGE)
        found = [
            await or_damaged(f"batch {batch.batch_id}", self._examine(batch)) for batch in batches
        ]
        following = str(batches[-1].number) if len(batches) == PAGE else None
        return Look([each for each in found if each is not None], following)

    async def of(self, subject: str) -> Sequence[Disagreement]:
        """Compare the batch that has one order."""
        batches = await self._store.open_batches(0, PAGE, only=subject)
        found = [
            await or_damaged(f"batch {batch.batch_id}", self._examine(batch)) for batch in batches
        ]
        return [each for each in found if each is not None]

    async def _examine(self, batch: OpenBatch) -> Disagreement | None:
        batch_id = batch.batch_id
        quiet = self._store.clock() - batch.changed_at
        instance = await BATCHES.find(self._engine, batch_id)

        async def resume() -> None:
            await self._batches.start_or_resume(batch_id, is_stopped=batch.is_stopped)

        async def conclude() -> None:
            if await self._batches.conclude(batch_id) and instance is not None:
                await self._engine.terminate(instance.instance_id)

        if batch.is_stopped:
            is_stuck = quiet > STOPPED_PATIENCE
            return _lost(batch, "it was stopped, and nothing ends it", resume) if is_stuck else None
        if instance is None or instance.runtime_status.is_finished:
            return _lost(batch, "no workflow is working on it", resume)
        if not batch.unfinished and quiet > PATIENCE:
            return _lost(batch, "all its orders have ended", conclude)
        return None


def _lost(batch: OpenBatch, why: str, heal: Heal) -> Disagreement:
    return Disagreement(
        LOST_INSTANCE,
        f"batch {batch.batch_id}",
        f"it has not ended, but {why}",
        f"{batch.is_stopped} {batch.unfinished} {batch.changed_at}",
        heal,
    )
