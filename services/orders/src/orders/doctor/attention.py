"""Orders whose rollback failed, and the retries of it."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from orderflow_contracts.doctor import LOST_INSTANCE, NEEDS_ATTENTION
from orderflow_contracts.fields import Clock
from orderflow_hosting.doctor import Disagreement, Look
from orderflow_workflow_runtime.ports import ManagedEngine
from orders.attention.service import Attention
from orders.attention.store import AttentionStore, Unsettled
from orders.own_instances import UNDOS

PAGE: Final = 200
PATIENCE: Final = timedelta(seconds=10)
"""A retry has a workflow so long after it was asked for."""


class FailedRollbacks:
    """No order needs attention, and each retry that has not ended has a workflow."""

    name = "the orders that need attention"
    pages_in_a_round = 1

    def __init__(
        self, store: AttentionStore, engine: ManagedEngine, attention: Attention, clock: Clock
    ) -> None:
        self._store = store
        self._engine = engine
        self._attention = attention
        self._clock = clock

    async def page(self, after: str | None) -> Look:
        """Look at the next orders by number."""
        orders = await self._store.unsettled(int(after or 0), PAGE)
        following = str(orders[-1].number) if len(orders) == PAGE else None
        return Look([found for each in orders for found in await self._examine(each)], following)

    async def of(self, subject: str) -> Sequence[Disagreement]:
        """Look at one order."""
        orders = await self._store.unsettled(0, 1, only=subject)
        return [found for each in orders for found in await self._examine(each)]

    async def _examine(self, order: Unsettled) -> list[Disagreement]:
        about = f"order {order.order_id}"
        if order.retrying_since is None:
            retried = f"retried {order.retries} times" if order.retries else "not retried yet"
            return [Disagreement(NEEDS_ATTENTION, about, f"its rollback failed, and is {retried}")]
        if self._clock() - order.retrying_since < PATIENCE:
            return []
        instance = await UNDOS.find(self._engine, f"{order.order_id}.{order.retries}")
        if instance is not None and not instance.runtime_status.is_finished:
            return []
        lost = f"retry {order.retries} of its rollback has not ended, but no workflow works on it"
        evidence = str(order.retries)
        return [Disagreement(LOST_INSTANCE, about, lost, evidence, self._attention.resume)]
