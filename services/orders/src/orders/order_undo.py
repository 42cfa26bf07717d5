"""What to do with an order whose workflow was stopped from outside: undo it, and tell its end."""

from dataclasses import dataclass

import structlog

from orderflow_contracts.orders import OrderStatus, Reason
from orders.instances import Instance, RuntimeStatus
from orders.ports import AlreadyRunning, Engine
from orders.store import OrderStore
from orders.workflows import names
from orders.workflows.messages import Undone

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


@dataclass(frozen=True)
class OrderUndo:
    """Starts the workflow that undoes an order; again is the same as once."""

    engine: Engine
    store: OrderStore

    async def undo(self, order_id: str, stopped: Instance) -> None:
        """Undo what the stopped instance did for its order, unless the order has ended.

        Raises `EngineUnavailable`; the next start of the service tries again.
        """
        order = await self.store.order(order_id)
        if order is None or order.status.is_final:
            return
        by_operator = stopped.runtime_status is not RuntimeStatus.FAILED
        undone = Undone(
            order_id=order_id,
            run_id=await self.store.run_of(order_id) or _run_of(stopped),
            status=OrderStatus.CANCELLED if by_operator else OrderStatus.FAILED,
            reason=Reason.TERMINATED_BY_OPERATOR if by_operator else Reason.WORKFLOW_FAILED,
            total_cents=order.total_cents,
            received_at=order.created_at,
        )
        log.warning("stopped_order_undone", order_id=order_id, reason=undone.reason)
        try:
            await self.engine.start(names.ORDER_UNDO, f"undo-of-order-{order_id}", undone)
        except AlreadyRunning:
            log.info("order_undo_under_way", order_id=order_id)


def _run_of(stopped: Instance) -> str:
    """Name the run that was stopped before it could claim its order."""
    return str(stopped.input.get("run_id", "")) if isinstance(stopped.input, dict) else ""
