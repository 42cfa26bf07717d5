"""Replaces workflow instances that cannot go on, without a restart of anything."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from itertools import repeat
from typing import Any, Final

import structlog

from orderflow_contracts.fields import Clock, now
from orderflow_hosting.background import keep_repeating
from orderflow_workflow_runtime.damage import children_in_progress
from orderflow_workflow_runtime.examining import Examiner, Finding, Kind
from orderflow_workflow_runtime.ports import EngineUnavailable, ReplacingEngine
from orderflow_workflow_runtime.starting import start_once
from orders.batches.service import Batches
from orders.ordering.damaged import DamagedRuns
from orders.ordering.new_runs import replaced_by
from orders.ordering.records import undoes
from orders.ordering.store import OrderStore
from orders.ordering.undo import OrderUndo
from orders.own_instances import BATCHES, MONITORS, UNDOS
from orders.saved_histories import SavedHistories

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

PAUSE_SECONDS: Final = 10.0
ORDERS_AT_ONCE: Final = 100
"""In each round at most so many orders are examined; the next round goes on after them."""
UNCHANGED: Final = timedelta(seconds=20)
"""An order that has changed more recently makes progress."""


class Replacing:
    """Finds the instances that cannot go on, and replaces them.

    These are the runs and rollbacks of orders, the workflows of batches, and the stock monitors.
    """

    def __init__(
        self,
        engine: ReplacingEngine,
        store: OrderStore,
        histories: SavedHistories,
        runs: DamagedRuns,
        undo: OrderUndo,
        batches: Batches,
        *,
        examiner: Examiner,
        monitors: tuple[str, ...],
        clock: Clock = now,
    ) -> None:
        self._engine = engine
        self._store = store
        self._histories = histories
        self._runs = runs
        self._undo = undo
        self._batches = batches
        self._examiner = examiner
        self._monitors = monitors
        self._clock = clock
        self._after = 0

    async def keep_looking(self) -> None:
        """Examine and replace, again and again."""
        await keep_repeating(self.look, "examination_delayed", pauses=repeat(PAUSE_SECONDS))

    async def look(self) -> None:
        """Examine some of the orders, and everything else; replace what cannot go on."""
        since = self._clock() - UNCHANGED
        page = await self._store.unchanged(since, self._after, ORDERS_AT_ONCE)
        self._after = page[-1][0] if len(page) == ORDERS_AT_ONCE else 0
        orders = [left for _, left in page]
        await self._each(self._runs.find(orders), self._runs.heal)
        undone = [each.order.order_id for each in orders if undoes(each.run_id)]
        await self._each(self._examined([UNDOS.id_of(key) for key in undone]), self._undo_again)
        await self._each(self._waiting_batches(), self._begin_batch_again)
        monitors = [MONITORS.id_of(subject) for subject in self._monitors]
        await self._each(self._examined(monitors), self._start_again)
        self._examiner.forget_old()

    async def _each(
        self, findings: AsyncIterator[Finding], heal: Callable[[Finding], Awaitable[object]]
    ) -> None:
        async for finding in findings:
            try:
                await heal(finding)
            except EngineUnavailable as error:
                fields = {"kind": finding.kind, "found": finding.detail, "why": str(error)}
                log.warning("instance_not_replaced", instance_id=finding.instance_id, **fields)

    async def _examined(self, instance_ids: list[str]) -> AsyncIterator[Finding]:
        for instance_id in instance_ids:
            finding = await self._examiner.examine(instance_id)
            if finding is not None:
                yield finding

    async def _waiting_batches(self) -> AsyncIterator[Finding]:
        """Yield the workflows of batches that cannot go on, or wait for orders in vain."""
        for batch_id in await self._batches.unfinished():
            instance_id = BATCHES.id_of(batch_id)
            finding = await self._examiner.examine(instance_id)
            if finding is None:
                finding = await self._waits_in_vain(batch_id, instance_id)
            if finding is not None and finding.kind is not Kind.LOST_INSTANCE:
                yield finding  # a batch without a workflow is started by `Batches.resume`

    async def _waits_in_vain(self, batch_id: str, instance_id: str) -> Finding | None:
        recording = await self._engine.recording(instance_id)
        children = children_in_progress(recording.history(), self._clock() - UNCHANGED)
        order_id = await self._batches.waits_in_vain(batch_id, children)
        what = order_id and f"order {order_id} cannot report its end"
        return self._examiner.confirm(instance_id, Kind.LOST_TIMER, what, recording)

    async def _undo_again(self, finding: Finding) -> None:
        await self._save(finding)
        await self._engine.discard(finding.instance_id, with_children=False)
        if not await self._start_with_same_input(finding):
            await self._undo.undo(UNDOS.subject_of(finding.instance_id), None)

    async def _begin_batch_again(self, finding: Finding) -> None:
        await self._save(finding)
        await self._batches.begin_again(BATCHES.subject_of(finding.instance_id))

    async def _start_again(self, finding: Finding) -> None:
        if finding.kind is Kind.LOST_INSTANCE:
            return  # a monitor that is not configured any more has none
        await self._save(finding)
        await self._engine.discard(finding.instance_id, with_children=False)
        await self._start_with_same_input(finding)

    async def _start_with_same_input(self, finding: Finding) -> bool:
        for event in finding.recording.history() if finding.recording is not None else ():
            if event.HasField("executionStarted"):
                started: Any = event.executionStarted
                payload = json.loads(started.input.value or "null")
                await start_once(self._engine, started.name, finding.instance_id, payload)
                return True
        return False

    async def _save(self, finding: Finding) -> None:
        replaced = replaced_by(finding)
        log.warning("instance_replaced", instance_id=finding.instance_id, why=replaced.why)
        self._examiner.forget(finding.instance_id)
        await self._histories.save(finding.instance_id, replaced, self._clock())
