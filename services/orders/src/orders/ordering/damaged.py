"""Finds the orders whose runs cannot go on, and lets new runs carry them on."""

from collections.abc import AsyncIterator, Iterable
from datetime import timedelta
from typing import Final

import structlog

from orderflow_contracts.fields import Clock, now
from orderflow_contracts.orders import OrderStatus
from orderflow_workflow_runtime.damage import children_in_progress
from orderflow_workflow_runtime.examining import Examiner, Finding, Kind
from orderflow_workflow_runtime.ports import EngineUnavailable, InstanceDamaged, ReplacingEngine
from orders.ordering import steps
from orders.ordering.new_runs import NewRuns, replaced_by
from orders.ordering.records import Pending, undoes
from orders.ordering.store import OrderStore

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

PATIENCE: Final = timedelta(seconds=20)
"""A task is looked for after this time: its workflow may not have begun before."""


class DamagedRuns:
    """The runs of orders that are lost, damaged, or wait for something that is lost.

    Runs that undo an order have instances of their own, and are left out.
    """

    def __init__(
        self,
        store: OrderStore,
        new_runs: NewRuns,
        examiner: Examiner,
        engine: ReplacingEngine,
        clock: Clock = now,
    ) -> None:
        self._engine = engine
        self._clock = clock
        self._store = store
        self._new_runs = new_runs
        self._examiner = examiner

    async def find(self, orders: Iterable[Pending]) -> AsyncIterator[Finding]:
        """Yield what is wrong with the runs of these unfinished orders.

        Each order costs one call of the engine. What is found must be seen twice, some seconds
        apart, so call this repeatedly.
        """
        for left in orders:
            if undoes(left.run_id):
                continue
            finding = await self._examine(left)
            if finding is not None and not await self._may_still_start(finding):
                yield finding

    async def heal(self, finding: Finding) -> bool:
        """Let a new run carry on the order; return False if that is no longer needed.

        Raises `EngineUnavailable`.
        """
        left = await self._store.pending(finding.instance_id)
        if left is None:
            return False
        self._examiner.forget(finding.instance_id)
        return await self._new_runs.begin(left, replaced_by(finding))

    async def _examine(self, left: Pending) -> Finding | None:
        """Examine an order's run; one that does not respond must not keep the others waiting."""
        recorded_by = steps.recording(left.status)
        try:
            found = await self._examiner.examine(left.order.order_id, recorded_by)
            waits = found is None and left.status is OrderStatus.PAID
            return await self._find_lost_task(left.order.order_id) if waits else found
        except EngineUnavailable as error:
            log.warning("order_not_examined", order_id=left.order.order_id, why=str(error))
            return None

    async def _find_lost_task(self, order_id: str) -> Finding | None:
        """Find that an order waits for a task whose workflow is gone, and so cannot report."""
        recording = await self._engine.recording(order_id)
        children = children_in_progress(recording.history(), self._clock() - PATIENCE)
        what = None
        if children and await self._is_gone(children[0]):
            what = f"it waits for {children[0]}, which the engine has lost"
        return self._examiner.confirm(order_id, Kind.LOST_TIMER, what, recording)

    async def _is_gone(self, instance_id: str) -> bool:
        try:
            task = await self._engine.instance(instance_id, payloads=False)
        except InstanceDamaged:
            return True
        return task is None or task.runtime_status.is_finished

    async def _may_still_start(self, finding: Finding) -> bool:
        """Whether an order without an instance is waiting in line, as orders of a batch do."""
        is_lost = finding.kind is Kind.LOST_INSTANCE
        return is_lost and await self._store.is_run_by_batch(finding.instance_id)
