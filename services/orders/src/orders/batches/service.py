"""Use cases of batches: submit, run, resume, stop and conclude."""

import contextlib
import json
from collections.abc import Iterable
from functools import partial
from typing import Final

import structlog
from pydantic import ValidationError

from orderflow_contracts.batches import Batch, BatchStatus, BatchSubmitted
from orderflow_contracts.fields import readable_order_id
from orderflow_contracts.names import ORDERS_SUBMITTED
from orderflow_contracts.orders import OrderStatus, PlacedOrder, Reason
from orderflow_hosting.background import BackgroundWork
from orderflow_hosting.dead_letters import DeadLetters
from orderflow_hosting.events import Event, read_event
from orderflow_hosting.explaining import explain
from orderflow_hosting.problems import describe
from orderflow_workflow_runtime.instances import RuntimeStatus
from orderflow_workflow_runtime.ports import AlreadyRunning, Engine, EngineUnavailable
from orderflow_workflow_runtime.upstream.late_results import first_action_of
from orders import workflow_names as names
from orders.batches.messages import BatchRun
from orders.batches.records import Entry, OpenBatch, OpenOrder, StoredBatch, run_id_of
from orders.batches.store import BatchStore
from orders.config import OrdersSettings
from orders.ordering.feed import StatusFeed
from orders.ordering.messages import OrderPolicy, OrderRun
from orders.ordering.new_runs import LOST, NewRuns, is_damaged, is_of_other_run
from orders.ordering.records import IdTaken, OtherContent, undoes
from orders.ordering.undo import OrderUndo
from orders.own_instances import BATCHES

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

STARTS_AT_ONCE: Final = 2
"""A batch starts at most this many orders after each event, and so doubles up to its limit.

Dapr 1.18 creates all children of a turn before it saves the turn, and a child cannot report its
result before that. If the worker is lost meanwhile, the repeated turn creates a child that is
already trying to report: the two wait for each other for ever. A turn that starts two children is
saved before either can report. A batch may still hang if several orders end at once, because it
then starts more in one turn.
"""


class Batches:
    """Submits, stops, resumes and concludes batches."""

    def __init__(
        self,
        settings: OrdersSettings,
        store: BatchStore,
        engine: Engine,
        feed: StatusFeed,
        order_undo: OrderUndo,
        dead_letters: DeadLetters,
        background: BackgroundWork,
        *,
        new_runs: NewRuns,
    ) -> None:
        self._new_runs = new_runs
        self._settings = settings
        self._store = store
        self._engine = engine
        self._feed = feed
        self._order_undo = order_undo
        self._dead_letters = dead_letters
        self._background = background

    async def submit(self, batch: BatchSubmitted) -> None:
        """Store a batch and start it. Submitting it again has no further effect.

        Raises `OtherBatchContent`, and `EngineUnavailable` when the batch is stored but its
        workflow could not be started: submit it again, or let `resume` start it.
        """
        stored = await self._store.save(batch.batch_id, entries_of(batch))
        if stored.is_new:
            log.info("batch_accepted", batch_id=batch.batch_id, orders=len(batch.orders))
        if stored.status.is_final:
            return
        if (
            stored.status is BatchStatus.RECEIVED
        ):  # also for a repeated event: the first one may have failed half-way
            await self._publish_first(batch.batch_id, stored)
        await self.start_or_resume(batch.batch_id, is_stopped=stored.is_stopped)

    async def start_or_resume(self, batch_id: str, *, is_stopped: bool) -> None:
        """Start the workflow of an unfinished batch unless it is running.

        If the workflow was stopped, the batch's orders are rolled back.
        """
        instance = await BATCHES.find(self._engine, batch_id)
        if is_stopped:
            self._finish_in_background(batch_id)
        elif instance is None:
            await self._start(batch_id)
        elif instance.runtime_status.is_finished:
            has_failed = instance.runtime_status is RuntimeStatus.FAILED
            await self.stop(
                batch_id, Reason.WORKFLOW_FAILED if has_failed else Reason.TERMINATED_BY_OPERATOR
            )

    async def stop(self, batch_id: str, reason: Reason = Reason.TERMINATED_BY_OPERATOR) -> bool:
        """Roll back the orders of a stopped batch and end it; return False if it has ended."""
        if not await self._store.stop(batch_id, reason):
            return False
        log.warning("stopped_batch_undone", batch_id=batch_id, reason=reason)
        self._finish_in_background(batch_id)
        return True

    async def batch(self, batch_id: str) -> Batch | None:
        """Return a batch with its orders, or None."""
        return await self._store.batch(batch_id)

    async def is_open(self, batch_id: str) -> bool:
        """Whether there is such a batch and it has not ended."""
        return any(batch.batch_id == batch_id for batch in await self._store.unfinished())

    async def left_to_run(self, batch_id: str) -> list[OpenOrder]:
        """Mark a batch as running and return its orders that have not started."""
        was_running, left = await self._store.open(batch_id)
        if not was_running:
            return left
        return [each for each in left if await self._engine.instance(each.order_id) is None]

    async def conclude(self, batch_id: str) -> bool:
        """Record and publish a batch's end if all its orders have ended; return whether it did."""
        for order in await self._store.left_to_end(batch_id):
            await self.resume_order(batch_id, order)
        return await self._end(batch_id)

    async def unfinished(self) -> list[str]:
        """Return the batches that have not ended and were not stopped, oldest first."""
        unfinished = await self._store.unfinished()
        return [batch.batch_id for batch in unfinished if batch.stopped_as is None]

    async def waits_in_vain(self, batch_id: str, orders: Iterable[str]) -> str | None:
        """Return one of these orders, in progress for the batch's workflow, that cannot report.

        A new run does not report its end to the workflow, and a report may be lost.
        """
        for order_id in orders:
            left = await self._new_runs.pending(order_id)
            if left is None or left.run_id not in {None, run_id_of(batch_id, order_id)}:
                return order_id
        return None

    async def begin_again(self, batch_id: str) -> None:
        """Start the workflow of a batch, in place of the one that cannot go on.

        Its orders go on. The new workflow starts those that have no workflow, and looks from time
        to time whether the others have ended. Raises `EngineUnavailable`.
        """
        for instance_id in BATCHES.ids_of(batch_id):
            await self._new_runs.discard(instance_id)
        await self._start(batch_id)

    async def resume(self) -> None:
        """Resume the batches that an earlier process or another replica left unfinished."""
        for batch in await self._store.unfinished():
            batch_id = batch.batch_id
            resume = partial(self._resume_left, batch)
            self._background.retry(resume, "batch_resume_delayed", key=batch_id, batch_id=batch_id)

    async def _resume_left(self, batch: OpenBatch) -> None:
        await self.start_or_resume(batch.batch_id, is_stopped=batch.stopped_as is not None)

    async def _publish_first(self, batch_id: str, stored: StoredBatch) -> None:
        """Send first statuses to the feed, and each refused entry to the dead letters."""
        for first in stored.first:
            self._feed.publish(first)
        for entry in stored.refused:
            await self._refuse(batch_id, entry)

    async def _refuse(self, batch_id: str, entry: Entry) -> None:
        reason = f"invalid: {entry.fault}"
        if entry.refused == Reason.ID_TAKEN:
            reason = f"{entry.refused}: {IdTaken(entry.order_id or '')}"
        elif entry.order is not None:
            reason = str(OtherContent(entry.order_id or ""))
        log.warning("batch_entry_refused", batch_id=batch_id, order_id=entry.order_id, why=reason)
        await self._dead_letters.record(ORDERS_SUBMITTED, _event_of(batch_id, entry), reason)

    async def _start(self, batch_id: str) -> None:
        run = BatchRun(
            batch_id=batch_id,
            parallelism=self._settings.batch_parallelism,
            starts_at_once=STARTS_AT_ONCE,
            **OrderPolicy.of(self._settings).model_dump(),
        )
        await BATCHES.start_once(self._engine, batch_id, run)

    async def resume_order(self, batch_id: str, order: OpenOrder) -> None:
        """Restart an order that was lost with the engine's last writes; undo one that stopped."""
        order_id = order.order_id
        instance = await self._engine.instance(order_id)
        left = await self._new_runs.pending(order_id)
        if left is None:
            return
        if instance is None and left.status is OrderStatus.RECEIVED:
            await self._run_again(batch_id, order)
        elif instance is None and not undoes(left.run_id):
            await self._new_runs.begin(left, LOST)
        elif instance is None:
            await self._order_undo.undo(order_id, None)
        elif is_of_other_run(instance, left.run_id) and not undoes(left.run_id):
            await self._new_runs.carry_on(left)
        elif instance.runtime_status.is_finished and not is_damaged(instance):
            await self._order_undo.undo(order_id, instance)

    async def _run_again(self, batch_id: str, order: OpenOrder) -> None:
        """Start an order whose run was lost before it recorded anything."""
        log.warning("lost_run_started_again", order_id=order.order_id, batch_id=batch_id)
        run = OrderRun(
            order_id=order.order_id,
            run_id=order.run_id,
            is_checked=True,
            first_action=first_action_of(order.run_id),
            **OrderPolicy.of(self._settings).model_dump(),
        )
        with contextlib.suppress(AlreadyRunning):
            await self._engine.start(names.ORDER_PROCESSING, order.order_id, run)

    def _finish_in_background(self, batch_id: str) -> None:
        end = partial(self._finish_stopped, batch_id)
        self._background.retry(end, "batch_end_delayed", key=batch_id, batch_id=batch_id)

    async def _finish_stopped(self, batch_id: str) -> None:
        """Roll back the orders of a stopped batch, started or not, and end the batch."""
        has_failed = await self._store.stopped_as(batch_id) == Reason.WORKFLOW_FAILED
        for order in await self._store.left_to_end(batch_id):
            instance = await self._engine.instance(order.order_id, payloads=False)
            await self._order_undo.undo(order.order_id, instance, has_failed=has_failed)
        if not await self._end(batch_id):
            raise EngineUnavailable(f"orders of batch {batch_id} are being rolled back")

    async def _end(self, batch_id: str) -> bool:
        ended = await self._store.conclude(batch_id)
        if ended is None:
            return False
        counts = {status.value: count for status, count in ended.counts.items()}
        log.info("batch_ended", batch_id=batch_id, status=ended.status, counts=counts)
        return True


def entries_of(batch: BatchSubmitted) -> list[Entry]:
    """Parse a batch's entries: each becomes an order, or carries the error found in it."""
    return [_entry(batch.batch_id, number, data) for number, data in enumerate(batch.orders, 1)]


def _event_of(batch_id: str, entry: Entry) -> Event:
    """Return the event by which an entry of a batch could be submitted alone."""
    envelope = {
        "specversion": "1.0",
        "id": f"{batch_id}.{entry.number}",
        "type": "com.orderflow.batch-entry.v1",
        "source": "/orderflow/orders",
        "datacontenttype": "application/json",
        "data": entry.data,
    }
    return read_event(json.dumps(envelope).encode())


def _entry(batch_id: str, number: int, data: object) -> Entry:
    if isinstance(data, dict) and data.get("order_id") is None:
        data = {**data, "order_id": f"{batch_id}-{number}"}
    order_id = readable_order_id(data)
    try:
        order = PlacedOrder.model_validate(data)
    except ValidationError as error:
        return Entry(number, data, order_id, fault=describe(error), detail=explain(error))
    return Entry(number, data, order.order_id, order)
