"""Hands decisions over to orders, and retries until orders has replied, even after a restart.

Each undelivered decision has its own task. The store is the only record of what is undelivered: a
task that is lost is started again later, so a decision may be handed over twice, which is safe.
"""

import asyncio
from functools import partial
from itertools import repeat
from typing import Final

import structlog

from approvals.decisions.ports import ApprovalStore
from approvals.handover.ports import OrdersGateway
from orderflow_contracts.fields import Clock, now
from orderflow_hosting.background import BackgroundWork, Backoff

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

MAX_CONCURRENT: Final = 16
POLL_SECONDS: Final = 60.0
"""How often to look for decisions left undelivered by a replica that is gone."""
BACKOFF: Final = Backoff(first=0.2, longest=30.0)


class Handover:
    """Delivers decisions to orders."""

    def __init__(
        self,
        store: ApprovalStore,
        orders: OrdersGateway,
        background: BackgroundWork,
        clock: Clock = now,
    ) -> None:
        self._clock = clock
        self._store = store
        self._orders = orders
        self._background = background
        self._slots = asyncio.Semaphore(MAX_CONCURRENT)

    def start(self) -> None:
        """Resume decisions that an earlier process or another replica left undelivered."""
        self._background.repeat(
            self._resume,
            "undelivered_decisions_not_read",
            pauses=repeat(POLL_SECONDS),
            backoff=BACKOFF,
        )

    def send(self, order_id: str) -> None:
        """Start delivering the decision about an order, unless that is already in progress."""
        self._background.retry(
            partial(self._deliver, order_id),
            "decision_not_handed_over",
            key=order_id,
            backoff=BACKOFF,
            order_id=order_id,
        )

    async def _resume(self) -> None:
        for order_id in await self._store.undelivered():
            self.send(order_id)

    async def _deliver(self, order_id: str) -> None:
        async with self._slots:  # held for one attempt only, so that a failing one delays no other
            decision = (await self._store.find(order_id)).undelivered
            if decision is None:
                return
            outcome = await self._orders.hand_over(order_id, decision)
            moment = self._clock()
            await self._store.change(order_id, lambda case: case.record_handover(outcome, moment))
        log.info(
            "decision_handed_over", order_id=order_id, outcome=outcome, approved=decision.approved
        )
