"""The use cases of an operator: start, inspect, control, wait for and purge workflow instances."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, Final

import structlog

from orderflow_contracts.fields import Clock, now
from orderflow_workflow_runtime.instances import HistoryEvent, Instance, RuntimeStatus
from orderflow_workflow_runtime.ports import (
    AlreadyRunning,
    InstanceDamaged,
    ManagedEngine,
    NoSuchInstance,
)
from orders import workflow_names as names
from orders.batches.service import Batches
from orders.management.errors import (
    InstanceExists,
    InvalidInput,
    NotRunning,
    Protected,
    StillRunning,
    UnknownInstance,
    UnknownWorkflow,
)
from orders.management.index import InstanceIndex
from orders.management.listing import Listing
from orders.management.messages import Count
from orders.ordering.records import IdOfOrder
from orders.ordering.steps import describe
from orders.ordering.store import OrderStore
from orders.ordering.undo import OrderUndo
from orders.own_instances import BATCHES
from orders.tasks.messages import TaskOrder

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

RESERVED_SIGN: Final = "."
"""Sets the ids of the service's own instances apart."""
LEFT_ALONE: Final = timedelta(minutes=10)
"""A recorded start counts as lost this long after it was recorded, if the engine has none."""
TAKEN_BY_A_PATH: Final = "start"
"""`POST /workflows/start/…` would hide an instance of this name."""


class Management:
    """What an operator can do. All may raise `EngineUnavailable`."""

    def __init__(
        self,
        engine: ManagedEngine,
        store: OrderStore,
        order_undo: OrderUndo,
        batches: Batches | None = None,
        *,
        index: InstanceIndex,
        counter_pause_seconds: float,
        clock: Clock = now,
    ) -> None:
        self._clock = clock
        self.listing = Listing(engine, index, clock)
        self._index = index
        self._engine = engine
        self._order_undo = order_undo
        self._batches = batches
        self._store = store
        self._pause_seconds = counter_pause_seconds

    async def start(
        self, workflow: str, instance_id: str | None, payload: Any, *, replace: bool = False
    ) -> str:
        """Start an instance and return its id.

        An id that is or was in use is refused, so that nobody overwrites a history by accident.
        With `replace`, a finished instance is replaced. Raises pydantic's `ValidationError` for an
        invalid task.
        """
        if workflow == names.ORDER_BATCH:
            raise Protected(f"{workflow} is started by publishing on orders.batch-submitted")
        if workflow in names.ORDER_WORKFLOWS:
            raise Protected(f"{workflow} is started by placing an order: POST /orders")
        if workflow == names.STOCK_MONITOR:
            raise Protected(f"{workflow} is started with the service, once for each item")
        if workflow not in {names.INTERACTIVE_HELLO, names.NEVER_ENDING, names.TASK_PROCESSING}:
            raise UnknownWorkflow(f"there is no workflow {workflow}")
        if workflow == names.NEVER_ENDING:
            payload = self._count(payload)
        if workflow == names.TASK_PROCESSING:
            payload = TaskOrder.model_validate(payload)
        wanted = instance_id or uuid.uuid4().hex
        if instance_id is not None:
            await self._check_free(wanted, replace=replace)
        await self._record_start(wanted)
        moment = self._clock()
        try:
            await self._engine.start(workflow, wanted, payload)
        except AlreadyRunning as error:
            raise InstanceExists(f"{wanted} is active") from error
        self._index.started(wanted, workflow, moment)
        log.info("workflow_started", instance_id=wanted, workflow=workflow)
        return wanted

    async def status(self, instance_id: str) -> Instance:
        """Read an instance and, if it failed, which activity failed."""
        instance = await self._known(instance_id)
        failure = instance.failure
        if failure is None:
            return instance
        failed = [event for event in await self.history(instance_id) if event.type == "task_failed"]
        activity = failed[-1].name if failed else None
        return instance.model_copy(
            update={"failure": failure.model_copy(update={"activity": activity})}
        )

    async def pause(self, instance_id: str) -> None:
        """Suspend a running instance; an activity that is running still finishes."""
        await self._running(instance_id)
        moment = self._clock()
        await self._engine.pause(instance_id)
        self._index.became(instance_id, RuntimeStatus.SUSPENDED, moment)

    async def resume(self, instance_id: str) -> None:
        """Resume a suspended instance."""
        await self._running(instance_id)
        moment = self._clock()
        await self._engine.resume(instance_id)
        self._index.became(instance_id, RuntimeStatus.RUNNING, moment)

    async def raise_event(self, instance_id: str, event: str, payload: Any) -> None:
        """Raise an event for an instance, which buffers it until it waits for it."""
        instance = await self._running(instance_id)
        if instance.name == names.ORDER_BATCH:
            raise Protected(f"{instance_id} is a batch: only its own orders raise events for it")
        if instance.name in names.ORDER_WORKFLOWS:
            raise Protected(
                f"{instance_id} is an order: it is decided through approvals, "
                f"and cancelled with POST /orders/{instance_id}/cancel"
            )
        await self._engine.raise_event(instance_id, event, payload)

    async def terminate(self, instance_id: str, output: Any = None, *, force: bool = False) -> None:
        """End an instance. An order's must be forced, and is then rolled back.

        Forcing also rolls back an order whose instance was stopped in another way.
        """
        instance = await self._known(instance_id)
        if instance.name == names.ORDER_BATCH:
            await self._terminate_batch(instance, output, force=force)
            return
        is_forced_order = instance.name == names.ORDER_PROCESSING and force
        if instance.runtime_status.is_finished:
            if not is_forced_order or not await self._order_undo.undo(instance_id, instance):
                raise NotRunning(instance)
            return
        if instance.name == names.ORDER_UNDO:
            raise Protected(f"{instance_id} undoes an order, and must come to its end")
        if instance.name == names.ORDER_PROCESSING and not force:
            raise Protected(
                f"{instance_id} is an order: cancel it with POST /orders/{instance_id}/cancel, "
                "or force its termination"
            )
        await self._terminate(instance_id, output)
        if is_forced_order:
            await self._order_undo.undo(instance_id, instance)

    async def _terminate_batch(self, batch: Instance, output: Any, *, force: bool) -> None:
        """End a batch's workflow and roll back its orders, even if it was stopped otherwise."""
        is_finished = batch.runtime_status.is_finished
        if not is_finished and not force:
            raise Protected(
                f"{batch.instance_id} is a batch: force its termination to undo its orders"
            )
        if not is_finished:
            await self._terminate(batch.instance_id, output)
        is_stopped = force and self._batches and await self._batches.stop(_batch_id(batch))
        if is_finished and not is_stopped:
            raise NotRunning(batch)

    async def _terminate(self, instance_id: str, output: Any) -> None:
        moment = self._clock()
        await self._engine.terminate(instance_id, output)
        self._index.became(instance_id, RuntimeStatus.TERMINATED, moment)

    async def purge(self, instance_id: str) -> None:
        """Purge a finished instance; the service's own record of an order stays."""
        instance = await self._known(instance_id)
        if not instance.runtime_status.is_finished:
            raise StillRunning(instance)
        if await self._is_to_be_undone(instance):
            raise Protected(
                f"{instance_id} was stopped and has not ended yet: force its termination to undo it"
            )
        await self._purge(instance_id)

    async def purge_older_than(self, age: timedelta) -> int:
        """Purge all instances that finished longer ago than this; return how many."""
        purged = 0
        async for instance in self.listing.finished_before(self._clock() - age):
            if not await self._is_to_be_undone(instance):
                try:
                    await self._purge(instance.instance_id)
                except NoSuchInstance:
                    continue
                purged += 1
        log.info("workflows_purged", count=purged)
        return purged

    async def _purge(self, instance_id: str) -> None:
        """Purge an instance, and free its id for orders unless it is started again meanwhile."""
        moment = self._clock()
        await self._engine.purge(instance_id)
        await self._store.forget_start(instance_id, moment)
        await self._index.forget(instance_id)

    async def free_ids(self) -> None:
        """Free the ids of instances that the engine no longer has, for example after retention.

        Recent starts are left alone: the engine may not have been asked to start them yet.
        """
        until = self._clock() - LEFT_ALONE
        for instance_id in await self._store.started_until(until):
            try:
                is_gone = await self._engine.instance(instance_id, payloads=False) is None
            except InstanceDamaged:
                continue
            if is_gone:
                await self._store.forget_start(instance_id, until)
                log.info("instance_id_freed", instance_id=instance_id)

    async def wait(self, instance_id: str, timeout_seconds: float) -> Instance:
        """Return an instance once it has finished; raises TimeoutError when it takes longer."""
        instance = await self._known(instance_id)
        if not instance.runtime_status.is_finished:
            await self._engine.finished(instance_id, timeout_seconds)
        return await self.status(instance_id)

    async def rerun(
        self, instance_id: str, from_event: int, new_instance_id: str | None, *payload: Any
    ) -> str:
        """Run a finished instance again from an event on, as a new instance; return its id.

        Raises `CannotRerun` for an event that this is not possible from.
        """
        instance = await self._known(instance_id)
        if instance.name in names.ORDER_WORKFLOWS:
            raise Protected(f"{instance_id} is an order: its effects happen once")
        if not instance.runtime_status.is_finished:
            raise StillRunning(instance)
        wanted = new_instance_id or uuid.uuid4().hex
        await self._check_free(wanted, replace=False)
        await self._record_start(wanted)
        moment = self._clock()
        try:
            started = await self._engine.rerun(instance_id, from_event, wanted, *payload)
        except AlreadyRunning as error:
            raise InstanceExists(f"{wanted} is active") from error
        self._index.started(started, instance.name, moment)
        return started

    async def history(self, instance_id: str) -> list[HistoryEvent]:
        """Read the history of an instance, oldest first, with the steps of orders described."""
        try:
            history = await self._engine.history(instance_id)
        except NoSuchInstance as error:
            raise UnknownInstance(instance_id) from error
        return [describe(event) for event in history]

    async def _known(self, instance_id: str) -> Instance:
        instance = await self._engine.instance(instance_id)
        if instance is None:
            raise UnknownInstance(instance_id)
        return instance

    async def _running(self, instance_id: str) -> Instance:
        instance = await self._known(instance_id)
        if instance.runtime_status.is_finished:
            raise NotRunning(instance)
        return instance

    def _count(self, start: Any) -> Count:
        is_number = isinstance(start, int) and not isinstance(start, bool)
        if start is not None and not is_number:
            raise InvalidInput("the counter starts with a whole number, or with nothing")
        return Count(value=start or 0, pause_seconds=self._pause_seconds)

    async def _is_to_be_undone(self, instance: Instance) -> bool:
        """Whether this is the finished workflow of an order that has not ended."""
        if instance.name == names.ORDER_BATCH:
            return self._batches is not None and await self._batches.is_open(_batch_id(instance))
        if instance.name != names.ORDER_PROCESSING:
            return False
        order = await self._store.order(instance.instance_id)
        return order is not None and not order.status.is_final

    async def _record_start(self, instance_id: str) -> None:
        """Record the id before the engine is asked, so that no order can have it."""
        with _exists_if_of_order():
            await self._store.record_start(instance_id)

    async def _check_free(self, instance_id: str, *, replace: bool) -> None:
        if RESERVED_SIGN in instance_id:
            raise InstanceExists("ids with a dot are reserved for workflows of the service itself")
        if instance_id == TAKEN_BY_A_PATH:
            raise InstanceExists(f"{instance_id} is a word of these paths, and cannot be an id")
        with _exists_if_of_order():
            await self._store.check_no_order(instance_id)
        instance = await self._engine.instance(instance_id, payloads=False)
        if instance is None:
            return
        if not instance.runtime_status.is_finished:
            raise InstanceExists(f"{instance_id} is {instance.runtime_status}")
        if not replace:
            raise InstanceExists(
                f"{instance_id} has finished ({instance.runtime_status}); "
                "purge it, or set replace=true"
            )


def _batch_id(instance: Instance) -> str:
    return BATCHES.subject_of(instance.instance_id)


@contextmanager
def _exists_if_of_order() -> Iterator[None]:
    """Raise `InstanceExists` for an id that belongs to an order."""
    try:
        yield
    except IdOfOrder as error:
        raise InstanceExists(str(error)) from error
