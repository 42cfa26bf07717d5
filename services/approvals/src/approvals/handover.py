"""Hands decisions to orders until orders has answered, also after a restart.

Each decision on its way has a task of its own, which tries, waits, and tries again. What is on
its way is known to the store alone: a task that is lost is begun anew at the next start, and a
decision may be handed over twice, which orders bears.
"""

import asyncio
import random
from dataclasses import dataclass
from typing import Final, Protocol

import structlog

from approvals.domain import Outcome
from approvals.store import ApprovalStore
from orderflow_contracts.approvals import Decision
from orderflow_contracts.fields import now

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

AT_ONCE: Final = 16
LOOK_AGAIN_SECONDS: Final = 60.0
"""How often decisions are looked for that a replica, gone for good, has left to the others."""


class NotAnswered(Exception):
    """Orders could not be told, or did not know the order yet: to be tried again."""


class Orders(Protocol):
    """The service that waits for decisions."""

    async def hand_over(self, order_id: str, decision: Decision) -> Outcome:
        """Tell a decision; the same again is harmless. Raises `NotAnswered`."""
        ...


@dataclass(frozen=True)
class Pauses:
    """Seconds between two tries: doubled from the first up to the longest."""

    first: float = 0.2
    longest: float = 30.0

    def after(self, tries: int) -> float:
        """How long to wait after so many tries, a little different each time."""
        doubled = self.first * 2.0 ** min(tries - 1, 32)
        return min(doubled, self.longest) * random.uniform(0.75, 1.0)  # noqa: S311 # no secret


class Handover:
    """Carries decisions to orders."""

    def __init__(self, store: ApprovalStore, orders: Orders, pauses: Pauses | None = None) -> None:
        self._store = store
        self._orders = orders
        self._pauses = pauses or Pauses()
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._resuming: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Take up decisions that an earlier process, or another replica, left undelivered."""
        self._resuming = asyncio.create_task(self._resume())

    def offer(self, order_id: str) -> None:
        """Begin to hand over the decision about an order, unless that is under way."""
        if order_id not in self._tasks:
            task = asyncio.create_task(self._carry(order_id))
            self._tasks[order_id] = task
            task.add_done_callback(lambda _: self._tasks.pop(order_id, None))

    async def stop(self) -> None:
        """Leave what is on its way to the next start."""
        tasks = [*self._tasks.values(), *([self._resuming] if self._resuming else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _resume(self) -> None:
        tries = 0
        while True:
            tries += 1
            try:
                orders = await self._store.undelivered()
            except Exception as error:  # noqa: BLE001 # whatever it is, it may pass
                log.warning("undelivered_decisions_unknown", tries=tries, why=str(error))
                await asyncio.sleep(self._pauses.after(tries))
            else:
                tries = 0
                left = [order_id for order_id in orders if order_id not in self._tasks]
                if left:
                    log.info("undelivered_decisions_taken_up", decisions=len(left))
                for order_id in left:
                    self.offer(order_id)
                await asyncio.sleep(LOOK_AGAIN_SECONDS)

    async def _carry(self, order_id: str) -> None:
        tries = 0
        while True:
            tries += 1
            try:
                async with self._slots:
                    await self._try(order_id)
            except NotAnswered as error:
                log.warning("decision_not_taken", order_id=order_id, tries=tries, why=str(error))
            except Exception as error:
                log.warning("handover_failed", order_id=order_id, tries=tries, exc_info=error)
            else:
                return
            await asyncio.sleep(self._pauses.after(tries))

    async def _try(self, order_id: str) -> None:
        decision = (await self._store.find(order_id)).undelivered
        if decision is None:
            return
        outcome = await self._orders.hand_over(order_id, decision)
        moment = now()
        await self._store.change(order_id, lambda case: case.handed_over(outcome, moment))
        log.info(
            "decision_handed_over", order_id=order_id, outcome=outcome, approved=decision.approved
        )
