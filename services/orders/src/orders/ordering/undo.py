"""Undoes an order whose workflow was stopped from outside, or whose compensation failed."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import structlog

from orderflow_contracts.orders import Order, OrderStatus, Reason
from orderflow_workflow_runtime.instances import Instance, RuntimeStatus
from orderflow_workflow_runtime.ports import Engine
from orders.config import UNDO_TIMEOUT_SECONDS
from orders.ordering import steps
from orders.ordering.messages import Undone
from orders.ordering.store import OrderStore
from orders.own_instances import UNDOS

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


@dataclass(frozen=True)
class OrderUndo:
    """Starts the undo workflow of an order; starting it again has no effect."""

    engine: Engine
    store: OrderStore
    timeout_seconds: float = UNDO_TIMEOUT_SECONDS

    async def undo(
        self, order_id: str, stopped: Instance | None, *, has_failed: bool = False
    ) -> bool:
        """Undo what the stopped instance did for its order; return False if the order has ended.

        The order ends as failed if that instance, or the batch that ran it, failed; otherwise as
        cancelled. First the order is transferred from the stopped run, so that an activity that is
        still running can record nothing more and the order cannot end in another way meanwhile.
        Raises `EngineUnavailable`; the next start of the service tries again.
        """
        run_id = await self.store.hand_to_undo(order_id)
        order = await self.store.order(order_id)
        if run_id is None or order is None:
            return False
        if stopped is not None and stopped.runtime_status is RuntimeStatus.FAILED:
            has_failed = True
        status, reason = _end(order, has_failed=has_failed)
        undone = Undone(
            order_id=order_id,
            run_id=run_id,
            status=status,
            reason=reason,
            total_cents=order.total_cents,
            received_at=order.created_at,
            compensations=steps.compensations(_policy(stopped)),
            undo_timeout_seconds=self.timeout_seconds,
        )
        log.warning("stopped_order_undone", order_id=order_id, reason=undone.reason)
        if not await UNDOS.start_once(self.engine, order_id, undone):
            log.info("order_undo_in_progress", order_id=order_id)
        return True

    async def again(
        self, order_id: str, run_id: str, retry: int, left_over: tuple[str, ...] | None
    ) -> None:
        """Retry the failed compensations of an order that needs attention, as its last run.

        If they are not known, every compensation is repeated, which does no harm. Each retry has an
        instance of its own, so that starting it again has no effect. Raises `EngineUnavailable`.
        """
        order = await self.store.order(order_id)
        if order is None:
            return
        instance = await self.engine.instance(order_id) if left_over is None else None
        compensations = steps.compensations(_policy(instance))
        undone = Undone(
            order_id=order_id,
            run_id=run_id,
            status=order.status,
            reason=Reason.UNDO_FAILED,
            total_cents=order.total_cents,
            received_at=order.created_at,
            compensations=tuple(
                name for name in compensations if left_over is None or name in left_over
            ),
            undo_timeout_seconds=self.timeout_seconds,
            retry=retry,
        )
        await UNDOS.start_once(self.engine, f"{order_id}.{retry}", undone)


def _end(order: Order, *, has_failed: bool) -> tuple[OrderStatus, Reason]:
    """Return how an undone order ends: one that was cancelled has its final status already."""
    if order.status is OrderStatus.CANCELLED:
        return OrderStatus.CANCELLED, Reason.CANCELLED_ON_REQUEST
    if has_failed:
        return OrderStatus.FAILED, Reason.WORKFLOW_FAILED
    return OrderStatus.CANCELLED, Reason.TERMINATED_BY_OPERATOR


def _policy(stopped: Instance | None) -> Mapping[str, Any] | None:
    """Read the order's policy from the input of the stopped run; return None if it is not known.

    A restarted run has the policy of its own start: the policy of the lost first run is not known.
    """
    if stopped is None:
        return None
    policy = stopped.input if isinstance(stopped.input, dict) else {}
    return None if policy.get("begun_again") else policy
