"""Hands decisions to orders until orders has answered, also after a restart.

Each decision on its way has a task of its own, which tries, waits, and tries again. What is on
its way is known to the store alone: a task that is lost is begun anew at the next start, and a
decision may be handed over twice, which orders bears.
"""

import asyncio
from functools import partial
from itertools import repeat
from typing import Final, Protocol

import structlog

from approvals.domain import Outcome
from approvals.store import ApprovalStore
from orderflow_contracts.approvals import Decision
from orderflow_contracts.fields import now
from orderflow_hosting.background import BackgroundWork, Backoff
from orderflow_hosting.problems import Unavailable

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

AT_ONCE: Final = 16
PAUSE_SECONDS: Final = 60.0
"""How often decisions are looked for that a replica, gone for good, has left to the others."""
BACKOFF: Final = Backoff(first=0.2, longest=30.0)


class NotAnswered(Unavailable):
    """Orders could not be told, or did not know the order yet: to be tried again."""


class Orders(Protocol):
    """The service that waits for decisions."""

    async def hand_over(self, order_id: str, decision: Decision) -> Outcome:
        """Tell a decision; the same again is harmless. Raises `NotAnswered`."""
        ...


class Handover:
    """Hands decisions to orders."""

    def __init__(self, store: ApprovalStore, orders: Orders, background: BackgroundWork) -> None:
        self._store = store
        self._orders = orders
        self._background = background
        self._slots = asyncio.Semaphore(AT_ONCE)

    def start(self) -> None:
        """Resume decisions that an earlier process, or another replica, left undelivered."""
        self._background.repeat(
            self._resume,
            "undelivered_decisions_unknown",
            pauses=repeat(PAUSE_SECONDS),
            backoff=BACKOFF,
        )

    def offer(self, order_id: str) -> None:
        """Begin to hand over the decision about an order, unless that is under way."""
        self._background.retry(
            partial(self._hand_over, order_id),
            "decision_not_handed_over",
            key=order_id,
            backoff=BACKOFF,
            order_id=order_id,
        )

    async def _resume(self) -> None:
        for order_id in await self._store.undelivered():
            self.offer(order_id)

    async def _hand_over(self, order_id: str) -> None:
        async with self._slots:  # only for the attempt: one that waits holds up no other
            decision = (await self._store.find(order_id)).undelivered
            if decision is None:
                return
            outcome = await self._orders.hand_over(order_id, decision)
            moment = now()
            await self._store.change(order_id, lambda case: case.handed_over(outcome, moment))
        log.info(
            "decision_handed_over", order_id=order_id, outcome=outcome, approved=decision.approved
        )
