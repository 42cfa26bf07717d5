"""Orders whose rollback failed, and the retries of it."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from orderflow_contracts.doctor import (
    COMPENSATION_FAILED,
    COMPENSATION_OUTSTANDING,
    LOST_INSTANCE,
    NEEDS_ATTENTION,
)
from orderflow_contracts.fields import Clock
from orderflow_hosting.doctor import Disagreement, Look
from orderflow_workflow_runtime.ports import ManagedEngine
from orders.attention.service import Attention
from orders.attention.store import AttentionStore, Unsettled
from orders.doctor.damage import or_damaged
from orders.doctor.store import DoctorStore, Known
from orders.own_instances import UNDOS

PAGE: Final = 200
PATIENCE: Final = timedelta(seconds=10)
"""A retry has a workflow so long after it was asked for."""
COMPENSATED: Final = timedelta(seconds=60)
"""So long after its cancellation, an order is usually compensated."""


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
        return Look(await self._found(orders), following)

    async def of(self, subject: str) -> Sequence[Disagreement]:
        """Look at one order."""
        orders = await self._store.unsettled(0, 1, only=subject)
        return await self._found(orders)

    async def _found(self, orders: Sequence[Unsettled]) -> list[Disagreement]:
        found = [
            await or_damaged(f"order {order.order_id}", self._examine(order)) for order in orders
        ]
        return [each for each in found if each is not None]

    async def _examine(self, order: Unsettled) -> Disagreement | None:
        about = f"order {order.order_id}"
        if order.retrying_since is None:
            retried = f"retried {order.retries} times" if order.retries else "not retried yet"
            kind = NEEDS_ATTENTION if order.compensation is None else COMPENSATION_FAILED
            return Disagreement(kind, about, f"its rollback failed, and was {retried}")
        if self._clock() - order.retrying_since < PATIENCE:
            return None
        instance = await UNDOS.find(self._engine, f"{order.order_id}.{order.retries}")
        if instance is not None and not instance.runtime_status.is_finished:
            return None
        lost = f"retry {order.retries} of its rollback has not ended, but no workflow works on it"
        evidence = str(order.retries)
        return Disagreement(LOST_INSTANCE, about, lost, evidence, self._attention.resume)


class OutstandingCompensations:
    """Each cancelled order is compensated within a minute."""

    name = "the compensations of cancelled orders"
    pages_in_a_round = 1

    def __init__(self, store: DoctorStore) -> None:
        self._store = store

    async def page(self, after: str | None) -> Look:
        """Look at the next cancelled orders by id."""
        found = await self._find(after=after or "")
        following = found[-1][0] if len(found) == PAGE else None
        return Look([each for _, each in found if each is not None], following)

    async def of(self, subject: str) -> Sequence[Disagreement]:
        """Look at one order."""
        return [each for _, each in await self._find(only=subject) if each is not None]

    async def _find(
        self, *, after: str = "", only: str | None = None
    ) -> list[tuple[str, Disagreement | None]]:
        until = self._store.clock() - COMPENSATED
        orders = await self._store.to_compensate(after, PAGE, only=only)
        return [
            (each.order_id, _outstanding(each) if each.updated_at < until else None)
            for each in orders
        ]


def _outstanding(order: Known) -> Disagreement:
    since = order.updated_at.isoformat(timespec="seconds")
    return Disagreement(
        COMPENSATION_OUTSTANDING,
        f"order {order.order_id}",
        f"it was cancelled at {since}, and is not rolled back yet",
        order.evidence,
    )
