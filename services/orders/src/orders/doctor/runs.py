"""Orders that have not ended, and the runs that must be working on them."""

import asyncio
from collections.abc import Sequence
from typing import Final

from orderflow_contracts.doctor import DAMAGED_HISTORY, LOST_INSTANCE, UNKNOWN_INSTANCE
from orderflow_contracts.orders import OrderStatus
from orderflow_hosting.doctor import Disagreement, Look
from orderflow_workflow_runtime.instances import Instance
from orderflow_workflow_runtime.ports import InstanceDamaged, ManagedEngine
from orders import workflow_names as names
from orders.batches.records import OpenOrder
from orders.batches.service import Batches
from orders.doctor.store import DoctorStore, Unfinished
from orders.ordering.new_runs import is_of_other_run
from orders.ordering.records import new_run_id, undoes
from orders.ordering.service import Intake
from orders.own_instances import UNDOS

PAGE: Final = 100
READS_AT_ONCE: Final = 16


class OrderRuns:
    """Each unfinished order has a run in the engine, and it is the order's own."""

    name = "the workflows of orders"
    pages_in_a_round = 3

    def __init__(
        self, store: DoctorStore, engine: ManagedEngine, intake: Intake, batches: Batches
    ) -> None:
        self._store = store
        self._engine = engine
        self._intake = intake
        self._batches = batches
        self._reads = asyncio.Semaphore(READS_AT_ONCE)

    async def page(self, after: str | None) -> Look:
        """Compare the next unfinished orders by number."""
        orders = await self._store.unfinished(int(after or 0), PAGE)
        found = await asyncio.gather(*map(self._examine, orders))
        following = str(orders[-1].known.number) if len(orders) == PAGE else None
        return Look([each for each in found if each is not None], following)

    async def of(self, subject: str) -> Sequence[Disagreement]:
        """Compare one order."""
        orders = await self._store.unfinished(0, 1, only=subject)
        found = [await self._examine(order) for order in orders]
        return [each for each in found if each is not None]

    async def _examine(self, order: Unfinished) -> Disagreement | None:
        try:
            async with self._reads:
                instance = await self._instance(order)
        except InstanceDamaged as error:
            return self._damaged(order, str(error))
        if instance is None:
            # A batch has not started all its orders yet; it starts them a few at a time.
            is_ahead = order.batch_id is not None and order.known.status is OrderStatus.RECEIVED
            return None if is_ahead else self._lost(order, "the engine has no workflow for it")
        is_own = undoes(order.known.run_id) or not is_of_other_run(instance, order.known.run_id)
        if not is_own:
            return self._unknown(order)
        if instance.runtime_status.is_finished:
            return self._lost(order, f"its workflow has ended as {instance.runtime_status}")
        return None

    async def _instance(self, order: Unfinished) -> Instance | None:
        order_id = order.known.order_id
        if undoes(order.known.run_id):
            return await UNDOS.find(self._engine, order_id)
        instance = await self._engine.instance(order_id)
        return instance if instance and instance.name == names.ORDER_PROCESSING else None

    def _damaged(self, order: Unfinished, why: str) -> Disagreement:
        known = order.known
        what = f"it is {known.status}, and the engine cannot load its workflow: {why}"
        return Disagreement(DAMAGED_HISTORY, f"order {known.order_id}", what, known.evidence)

    def _lost(self, order: Unfinished, why: str) -> Disagreement:
        known = order.known
        return Disagreement(
            LOST_INSTANCE,
            f"order {known.order_id}",
            f"it is {known.status}, but {why}",
            known.evidence,
            lambda: self._resume(order),
        )

    async def _resume(self, order: Unfinished) -> None:
        known = order.known
        is_of_batch = not undoes(known.run_id) and not known.status.is_final
        if order.batch_id is not None and is_of_batch:
            run = OpenOrder(known.order_id, known.run_id or new_run_id())
            await self._batches.resume_order(order.batch_id, run)
        else:
            await self._intake.resume_order(order.pending)

    def _unknown(self, order: Unfinished) -> Disagreement:
        """Find a workflow under the order's id that is not the order's own run."""
        known = order.known
        return Disagreement(
            UNKNOWN_INSTANCE,
            f"order {known.order_id}",
            f"it is {known.status}, but the workflow under its ID is of another run",
            known.evidence,
            lambda: self._resume(order),
        )
