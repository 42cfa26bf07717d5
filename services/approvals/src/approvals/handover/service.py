"""Hands decisions over to orders, and retries until orders has answered, also after a restart.

Each undelivered decision has its own task. The store is the only record of what is undelivered: a
task that is lost is started again later, so a decision may be handed over twice, which is safe.
"""

import asyncio
import random
from dataclasses import dataclass
from typing import Final

import structlog

from approvals.decisions.ports import ApprovalStore
from approvals.handover.ports import DecisionNotAccepted, OrdersGateway
from orderflow_contracts.fields import now

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

MAX_CONCURRENT: Final = 16
POLL_SECONDS: Final = 60.0
"""How often to look for decisions left undelivered by a replica that is gone."""


@dataclass(frozen=True)
class Backoff:
    """Seconds between attempts, doubling from the first up to the longest pause."""

    first: float = 0.2
    longest: float = 30.0

    def after(self, attempts: int) -> float:
        """Return the pause after a number of attempts, with jitter."""
        doubled = self.first * 2.0 ** min(attempts - 1, 32)
        return min(doubled, self.longest) * random.uniform(0.75, 1.0)  # noqa: S311 # no secret


class Handover:
    """Delivers decisions to orders."""

    def __init__(
        self, store: ApprovalStore, orders: OrdersGateway, backoff: Backoff | None = None
    ) -> None:
        self._store = store
        self._orders = orders
        self._backoff = backoff or Backoff()
        self._slots = asyncio.Semaphore(MAX_CONCURRENT)
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._resuming: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Resume decisions that an earlier process or another replica left undelivered."""
        self._resuming = asyncio.create_task(self._resume())

    def send(self, order_id: str) -> None:
        """Start delivering the decision about an order, unless that is already in progress."""
        if order_id not in self._tasks:
            task = asyncio.create_task(self._deliver(order_id))
            self._tasks[order_id] = task
            task.add_done_callback(lambda _: self._tasks.pop(order_id, None))

    async def stop(self) -> None:
        """Cancel all deliveries; the next start resumes them."""
        tasks = [*self._tasks.values(), *([self._resuming] if self._resuming else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _resume(self) -> None:
        attempts = 0
        while True:
            attempts += 1
            try:
                undelivered = await self._store.undelivered()
            except Exception as error:  # noqa: BLE001 # any failure may be temporary
                log.warning("undelivered_decisions_not_read", attempts=attempts, error=str(error))
                await asyncio.sleep(self._backoff.after(attempts))
            else:
                attempts = 0
                idle = [order_id for order_id in undelivered if order_id not in self._tasks]
                if idle:
                    log.info("undelivered_decisions_resumed", decisions=len(idle))
                for order_id in idle:
                    self.send(order_id)
                await asyncio.sleep(POLL_SECONDS)

    async def _deliver(self, order_id: str) -> None:
        attempts = 0
        while True:
            attempts += 1
            try:
                async with self._slots:
                    await self._try_once(order_id)
            except DecisionNotAccepted as error:
                log.warning(
                    "decision_not_accepted",
                    order_id=order_id,
                    attempts=attempts,
                    error=str(error),
                )
            except Exception as error:
                log.warning("handover_failed", order_id=order_id, attempts=attempts, exc_info=error)
            else:
                return
            await asyncio.sleep(self._backoff.after(attempts))

    async def _try_once(self, order_id: str) -> None:
        decision = (await self._store.find(order_id)).undelivered
        if decision is None:
            return
        outcome = await self._orders.hand_over(order_id, decision)
        moment = now()
        await self._store.change(order_id, lambda case: case.record_handover(outcome, moment))
        log.info(
            "decision_handed_over", order_id=order_id, outcome=outcome, approved=decision.approved
        )
