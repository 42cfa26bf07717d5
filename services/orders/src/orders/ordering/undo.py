"""What to do with an order whose workflow was stopped from outside: undo it, and tell its end."""

from dataclasses import dataclass

import structlog

from orderflow_contracts.orders import OrderStatus, Reason
from orderflow_workflow_runtime.instances import Instance, RuntimeStatus
from orderflow_workflow_runtime.ports import Engine
from orderflow_workflow_runtime.starting import start_once
from orders import workflow_names as names
from orders.config import UNDO_TIMEOUT_SECONDS
from orders.ordering.messages import Undone
from orders.ordering.store import OrderStore

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


@dataclass(frozen=True)
class OrderUndo:
    """Starts the workflow that undoes an order; again is the same as once."""

    engine: Engine
    store: OrderStore
    timeout_seconds: float = UNDO_TIMEOUT_SECONDS

    async def undo(
        self, order_id: str, stopped: Instance | None, *, has_failed: bool = False
    ) -> bool:
        """Undo what the stopped instance did for its order; False when the order has ended.

        It ends as failed if that instance failed, or what ran it has; else as cancelled.
        First the order is taken from the stopped run: a step that it has in hand still can record
        nothing any more, so the order cannot come to another end while it is undone.
        Raises `EngineUnavailable`; the next start of the service tries again.
        """
        run_id = await self.store.hand_to_undo(order_id)
        order = await self.store.order(order_id)
        if run_id is None or order is None:
            return False
        if stopped is not None and stopped.runtime_status is RuntimeStatus.FAILED:
            has_failed = True
        undone = Undone(
            order_id=order_id,
            run_id=run_id,
            status=OrderStatus.FAILED if has_failed else OrderStatus.CANCELLED,
            reason=Reason.WORKFLOW_FAILED if has_failed else Reason.TERMINATED_BY_OPERATOR,
            total_cents=order.total_cents,
            received_at=order.created_at,
            withdraws_task=_may_have_a_task(stopped),
            undo_timeout_seconds=self.timeout_seconds,
        )
        log.warning("stopped_order_undone", order_id=order_id, reason=undone.reason)
        instance_id = f"{names.UNDO_PREFIX}{order_id}"
        if not await start_once(self.engine, names.ORDER_UNDO, instance_id, undone):
            log.info("order_undo_under_way", instance_id=instance_id)
        return True

    async def again(
        self, order_id: str, run_id: str, retry: int, left_over: tuple[str, ...] | None
    ) -> None:
        """Undo an order that ended as one that needs attention once more, in its last run's name.

        Without the names of what is left over everything is undone, which does no harm. Each retry
        has an instance of its own, so again is the same as once. Raises `EngineUnavailable`.
        """
        order = await self.store.order(order_id)
        if order is None:
            return
        instance = await self.engine.instance(order_id)
        undone = Undone(
            order_id=order_id,
            run_id=run_id,
            status=order.status,
            reason=Reason.UNDO_FAILED,
            total_cents=order.total_cents,
            received_at=order.created_at,
            withdraws_task=_may_have_a_task(instance),
            undo_timeout_seconds=self.timeout_seconds,
            retry=retry,
            only=left_over,
        )
        instance_id = f"{names.UNDO_PREFIX}{order_id}.{retry}"
        await start_once(self.engine, names.ORDER_UNDO, instance_id, undone)


def _may_have_a_task(stopped: Instance | None) -> bool:
    """Tell whether the stopped run may have given its order to the warehouse.

    An instance that the engine has lost may have; to withdraw what is not there does no harm.
    """
    if stopped is None:
        return True
    return isinstance(stopped.input, dict) and stopped.input.get("picking", "off") != "off"
