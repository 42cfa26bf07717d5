"""The intake of orders: store them, start their workflows, and resume what was interrupted."""

import asyncio
from datetime import datetime, timedelta
from functools import partial

import structlog

from orderflow_contracts.approvals import RaiseReply, RaiseRequest
from orderflow_contracts.fields import Clock, now
from orderflow_contracts.orders import Order, OrderStatus, OrderSubmitted
from orderflow_hosting.background import BackgroundWork
from orderflow_workflow_runtime.instances import Instance
from orderflow_workflow_runtime.ports import (
    Engine,
    EngineUnavailable,
    InstanceDamaged,
    NoSuchInstance,
)
from orderflow_workflow_runtime.starting import start_once
from orderflow_workflow_runtime.upstream.late_results import first_action_of
from orders import workflow_names as names
from orders.config import OrdersSettings
from orders.domain import OrderEnded, UnknownOrder, was_decided
from orders.ordering.feed import StatusFeed
from orders.ordering.messages import OrderPolicy, OrderRun
from orders.ordering.naming import NamingEvent
from orders.ordering.new_runs import LOST, NewRuns, is_damaged, is_of_other_run
from orders.ordering.records import (
    NOTHING_READ,
    WAITING,
    Accepted,
    Invalid,
    Pending,
    new_run_id,
    undoes,
)
from orders.ordering.store import OrderStore
from orders.ordering.undo import OrderUndo

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

STARTS_AT_ONCE = 16
CANCEL_RETRIES = timedelta(minutes=5)
GRACE_SECONDS = 1.0
"""How long a cancelled order may take to end with its compensation, before it ends without."""


class Intake:
    """The use cases of orders: submit, cancel, decide."""

    def __init__(
        self,
        settings: OrdersSettings,
        store: OrderStore,
        engine: Engine,
        feed: StatusFeed,
        order_undo: OrderUndo,
        background: BackgroundWork,
        clock: Clock = now,
        *,
        new_runs: NewRuns,
    ) -> None:
        self._new_runs = new_runs
        self._settings = settings
        self._clock = clock
        self._store = store
        self._engine = engine
        self._feed = feed
        self._order_undo = order_undo
        self._background = background
        self._resuming = asyncio.Semaphore(STARTS_AT_ONCE)

    async def submit(self, order: OrderSubmitted, event: NamingEvent | None = None) -> None:
        """Store the order and start its workflow; submitting it again has no effect.

        With an event, this names the order, whose own id is not used. Raises `OtherContent`,
        `IdTaken`, and `EngineUnavailable` if the order is stored but its workflow could not be
        started: submit it again, or let `resume` start it.
        """
        accepted = await self._accept(order, event)
        if await self._must_be_started(accepted):
            await self._start(accepted)

    async def submit_and_return(self, order: OrderSubmitted) -> None:
        """Store the order; start its workflow now, or later if the engine is unavailable."""
        accepted = await self._accept(order)
        if not await self._must_be_started(accepted):
            return
        try:
            await self._start(accepted)
        except EngineUnavailable as error:
            log.warning("workflow_start_waits", order_id=order.order_id, why=str(error))
            start = partial(self._start, accepted)
            self._background.retry(start, "workflow_start_delayed", order_id=order.order_id)

    async def reject_invalid(
        self, order_id: str, invalid: Invalid = NOTHING_READ, event: NamingEvent | None = None
    ) -> str:
        """Record and publish that a submission is refused, unless an accepted order has its id.

        With an event, this names the order, and the given id is not used. Returns the order's id.
        """
        rejected = await self._store.reject_invalid(order_id, invalid, event)
        if rejected.stored is not None:
            self._feed.publish(rejected.stored)
        return rejected.order_id

    async def find(self, order_id: str | None, event: NamingEvent | None) -> Order | None:
        """Return the order that an event names, by its `order_id` or as the naming event."""
        if event is not None:
            order_id = await self._store.name(event)
        return None if order_id is None else await self._store.order(order_id)

    async def cancel(self, order_id: str) -> None:
        """Cancel an order: its workflow stops before the next step, and undoes the others.

        Nothing is charged from now on. Whatever the workflow waits for, the order ends as cancelled
        within `GRACE_SECONDS`, and is compensated later if need be; but if a charge was sent, its
        outcome is found out first. Raises `UnknownOrder` or `OrderEnded`.
        """
        cancellation = await self._store.request_cancel(order_id)
        if cancellation is None:
            raise UnknownOrder(order_id)
        if cancellation.status.is_final:
            raise OrderEnded(order_id, cancellation.status)
        if cancellation.status in WAITING:
            self._hand_over_cancel(order_id, key=None)
        if cancellation.is_before_charge:
            self._end_soon(order_id)

    async def hand_over(self, request: RaiseRequest) -> RaiseReply:
        """Hand a decision to the workflow that waits for it.

        Raises `UnknownOrder`, or `EngineUnavailable`, after which the caller can retry.
        """
        order = await self._store.order(request.order_id)
        if order is None:
            raise UnknownOrder(request.order_id)
        if order.status.is_final:
            return RaiseReply(outcome="taken" if was_decided(order) else "too_late")
        try:
            await self._engine.raise_event(request.order_id, request.event_name, request.data)
        except NoSuchInstance as error:
            raise EngineUnavailable(f"order {request.order_id} has no workflow yet") from error
        log.info("decision_raised", order_id=request.order_id, approved=request.data.approved)
        return RaiseReply(outcome="taken")

    async def resume(self) -> None:
        """Resume what an earlier process left unfinished.

        These are orders whose workflow was not started, or was lost with the engine's last writes
        when the machine failed, and cancellations that were not handed over.
        """
        self._resume(await self._store.unfinished())
        await self._resume_cancelling()

    async def resume_cancels(self) -> None:
        """Hand over recent cancellations again: it is not recorded whether that was done."""
        await self._resume_cancelling(self._clock() - CANCEL_RETRIES)

    async def resume_order(self, left: Pending) -> None:
        """Resume an order whose workflow was not started, was lost or stopped, or is not its own.

        A run that cannot go on, or cannot be read, is left to `DamagedRuns`. Raises
        `EngineUnavailable`.
        """
        order_id = left.order.order_id
        try:
            instance = await self._engine.instance(order_id)
        except InstanceDamaged:
            if left.status.is_final:
                await self._order_undo.undo(order_id, None)
            return
        if instance is not None and not instance.name:
            return  # it has not begun, or has no beginning
        run = instance if instance is not None and _is_run(instance, left) else None
        has_ended = run is None or run.runtime_status.is_finished
        if undoes(left.run_id) or (left.status.is_final and has_ended):
            await self._order_undo.undo(order_id, run)
        elif run is not None:
            if has_ended and not is_damaged(run):
                await self._order_undo.undo(order_id, run)
        elif instance is not None and is_of_other_run(instance, left.run_id):
            await self._new_runs.carry_on(left)
        elif left.status is OrderStatus.RECEIVED:
            first_action = first_action_of(left.run_id or "")
            await self._start_run(left.order, left.run_id, first_action=first_action)
        else:
            await self._new_runs.begin(left, LOST)

    def _resume(self, pending: list[Pending]) -> None:
        if pending:
            log.info("unfinished_orders_resumed", orders=len(pending))
        for left in pending:
            order_id = left.order.order_id
            self._background.retry(
                partial(self.resume_order, left),
                "order_resume_delayed",
                key=order_id,
                gate=self._resuming,
                order_id=order_id,
            )

    async def _resume_cancelling(self, since: datetime | None = None) -> None:
        for order_id in await self._store.cancels_to_hand_over(since):
            self._hand_over_cancel(order_id, key=order_id)
        for order_id in await self._store.cancels_to_end():
            self._end_soon(order_id)

    def _end_soon(self, order_id: str) -> None:
        end = partial(self._end_cancelled, order_id)
        self._background.retry(end, "cancelled_end_delayed", key=order_id, order_id=order_id)

    async def _end_cancelled(self, order_id: str) -> None:
        await asyncio.sleep(GRACE_SECONDS)
        end = await self._store.end_cancelled(order_id)
        if end is not None:
            log.info("order_cancelled_before_compensation", order_id=order_id)
            self._feed.publish(end)

    def _hand_over_cancel(self, order_id: str, *, key: str | None) -> None:
        wake = partial(self._wake_to_cancel, order_id)
        self._background.retry(wake, "cancel_delayed", key=key, order_id=order_id)

    async def _accept(self, order: OrderSubmitted, event: NamingEvent | None = None) -> Accepted:
        accepted = await self._store.accept(order, event)
        if accepted.is_new:
            log.info("order_accepted", order_id=accepted.order.order_id, lines=len(order.lines))
            self._feed.publish(accepted.first)
        return accepted

    async def _must_be_started(self, accepted: Accepted) -> bool:
        """Whether the order's workflow must be started; a batch starts its orders itself."""
        if accepted.status is not OrderStatus.RECEIVED:
            return False
        order_id = accepted.order.order_id
        return accepted.is_new or not await self._store.is_run_by_batch(order_id)

    async def _start(self, accepted: Accepted) -> None:
        await self._start_run(accepted.order, accepted.run_id)

    async def _start_run(
        self, order: OrderSubmitted, run_id: str | None, *, first_action: int = 0
    ) -> None:
        if run_id is None:  # an earlier version accepted the order, and may not have published that
            await self._store.promise_first(order.order_id)
        run = OrderRun(
            **order.model_dump(exclude_defaults=True),
            run_id=run_id or new_run_id(),
            is_checked=True,
            first_action=first_action,
            **OrderPolicy.of(self._settings).model_dump(),
        )
        await start_once(self._engine, names.ORDER_PROCESSING, order.order_id, run)

    async def _wake_to_cancel(self, order_id: str) -> None:
        if await self._store.waits_for_cancel(order_id):
            await self._engine.raise_event(order_id, names.CANCEL_REQUESTED, None)


def _is_run(instance: Instance, left: Pending) -> bool:
    """Whether an instance under an order's id is the run that may act for it."""
    is_order = instance.name == names.ORDER_PROCESSING
    return is_order and not is_of_other_run(instance, left.run_id)
