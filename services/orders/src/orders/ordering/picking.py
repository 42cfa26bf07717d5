"""The warehouse task of an order: created, and withdrawn if the order is undone."""

import structlog
from dapr.ext.workflow import WorkflowActivityContext

from orderflow_contracts.orders import OrderStatus
from orderflow_contracts.tasks import TaskStatus
from orderflow_workflow_runtime.ports import AlreadyRunning, Engine, NoSuchInstance
from orders import workflow_names as names
from orders.ordering.messages import Recorded, Undoing
from orders.ordering.steps import Handover
from orders.ordering.store import OrderStore
from orders.tasks.store import TaskStore

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class PickingActivities:
    """The activities of the order workflow that concern its task."""

    def __init__(self, store: OrderStore, tasks: TaskStore, engine: Engine) -> None:
        self._store = store
        self._tasks = tasks
        self._engine = engine

    async def hand_to_warehouse_activity(
        self, _: WorkflowActivityContext, handover: Handover
    ) -> Recorded:
        """Start the task's workflow, once: it is not restarted even after it has ended."""
        record = await self._store.record(
            handover.order_id, handover.run_id, OrderStatus.PAID, total_cents=handover.total_cents
        )
        if record is None or record.cancelled:
            return Recorded(superseded=record is None, cancelled=record is not None)
        instance_id = f"{names.PICK_PREFIX}{handover.order_id}"
        is_known = await self._tasks.task(handover.task.task_id) is not None
        if not is_known and await self._engine.instance(instance_id, payloads=False) is None:
            try:
                await self._engine.start(names.TASK_PROCESSING, instance_id, handover.task)
            except AlreadyRunning:
                log.info("task_handed_over_already", task_id=handover.task.task_id)
        return Recorded()

    async def withdraw_task_activity(self, _: WorkflowActivityContext, undoing: Undoing) -> None:
        """Withdraw the order's task and wake its workflow; a task that starts later is withdrawn.

        A completed task stays completed: its items become available when the stock is released.
        """
        if not await self._store.may_belong_to(undoing.order_id, undoing.run_id):
            log.warning("run_superseded", order_id=undoing.order_id, run_id=undoing.run_id)
            return
        task_id = f"{names.PICK_TASK_PREFIX}{undoing.order_id}"
        instance_id = f"{names.PICK_PREFIX}{undoing.order_id}"
        await self._tasks.receive(
            task_id,
            instance_id,
            f"Pick order {undoing.order_id}",
            order_id=undoing.order_id,
            status=TaskStatus.WITHDRAWN,
        )
        task = await self._tasks.end(task_id, TaskStatus.WITHDRAWN)
        if task.status is not TaskStatus.WITHDRAWN:
            return
        try:
            await self._engine.raise_event(instance_id, names.TASK_WITHDRAWN, undoing.reason)
        except NoSuchInstance:
            log.info("task_withdrawn_before_its_start", task_id=task_id)
