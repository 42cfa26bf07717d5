"""Lets a new run carry on an order whose run is lost, or cannot go on."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import Final

import structlog
from pydantic import ValidationError

from orderflow_contracts.fields import Clock, now
from orderflow_contracts.names import APPROVAL_DECIDED
from orderflow_contracts.orders import OrderStatus
from orderflow_workflow_runtime.examining import Finding
from orderflow_workflow_runtime.histories import HistoryUnavailable, Recording
from orderflow_workflow_runtime.instances import Instance
from orderflow_workflow_runtime.ports import ReplacingEngine
from orderflow_workflow_runtime.starting import start_once
from orderflow_workflow_runtime.upstream.late_results import first_action_of
from orders import workflow_names as names
from orders.config import OrdersSettings
from orders.ordering import steps
from orders.ordering.messages import OrderPolicy, OrderRun
from orders.ordering.records import Pending, new_run_id
from orders.ordering.steps import ApprovalWanted
from orders.ordering.store import OrderStore
from orders.saved_histories import Replaced, SavedHistories, SavedHistory

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

LOST: Final = Replaced("the engine has lost the workflow")
"""What is saved of a run that is gone."""


class NewRuns:
    """Begins the runs of orders again, from the first step: effects are idempotent by order.

    The new run gets an id of its own. From the transaction that records it on, the former run and
    its activities are superseded: they record nothing more.
    """

    def __init__(
        self,
        settings: OrdersSettings,
        store: OrderStore,
        histories: SavedHistories,
        engine: ReplacingEngine,
        clock: Clock = now,
    ) -> None:
        self._settings = settings
        self._store = store
        self._histories = histories
        self._engine = engine
        self._clock = clock

    async def begin(self, left: Pending, replaced: Replaced) -> bool:
        """Save the history of the order's run, and start a new run under the same instance id.

        Returns False, without any effect, if another run owns the order by now, or it has ended.
        Raises `EngineUnavailable`; the order is then transferred, and `carry_on` starts its run.
        """
        order_id, run_id = left.order.order_id, new_run_id()
        if not await self._store.begin_again(order_id, left.run_id, run_id, replaced):
            return False
        fields = {"former_run_id": left.run_id, "run_id": run_id, "why": replaced.why}
        log.warning("order_begun_again", order_id=order_id, **fields)
        await self.carry_on(replace(left, run_id=run_id))
        return True

    async def pending(self, order_id: str) -> Pending | None:
        """Return an unfinished order and the run that owns it; None if it has ended."""
        return await self._store.pending(order_id)

    async def discard(self, instance_id: str) -> None:
        """Delete an instance, but not its children. Raises `EngineUnavailable`."""
        await self._engine.discard(instance_id, with_children=False)

    async def carry_on(self, left: Pending) -> None:
        """Start the run that owns the order, in place of any other instance under its id."""
        order, run_id = left.order, left.run_id or new_run_id()
        saved = await self._histories.of(order.order_id)
        run = OrderRun(
            **order.model_dump(exclude_defaults=True),
            run_id=run_id,
            is_checked=True,
            begun_again=True,
            compensations=steps.compensations(None),
            first_action=first_action_of(run_id),
            approval_expires_at=_passed_deadline(saved, self._clock()),
            **OrderPolicy.of(self._settings).model_dump(),
        )
        await self._engine.discard(order.order_id, with_children=True)
        if run.picking == "awaited" and left.status is OrderStatus.PAID:
            # A former run that is lost does not name its child, under whose id another is started.
            await self._engine.discard(f"{names.PICK_PREFIX}{order.order_id}", with_children=False)
        await start_once(self._engine, names.ORDER_PROCESSING, order.order_id, run)


def is_of_other_run(instance: Instance, run_id: str | None) -> bool:
    """Whether an instance under an order's id is not the run that owns the order."""
    started = instance.input if isinstance(instance.input, dict) else {}
    return run_id is not None and started.get("run_id") not in {None, run_id}


def is_damaged(instance: Instance) -> bool:
    """Whether an instance failed because its history no longer fits; a new run carries on."""
    return instance.failure is not None and instance.failure.code == "NON_DETERMINISTIC"


def replaced_by(finding: Finding) -> Replaced:
    """Return what is saved of an instance that cannot go on."""
    events = finding.recording.events if finding.recording is not None else ()
    return Replaced(f"{finding.kind}: {finding.detail}", events)


def _passed_deadline(saved: Iterable[SavedHistory], at: datetime) -> datetime | None:
    """Return the deadline of an earlier run's request if it has passed without a decision."""
    deadlines = [found for each in saved if (found := _deadline(each))]
    return min((each for each in deadlines if each <= at), default=None)


def _deadline(saved: SavedHistory) -> datetime | None:
    recording = Recording(
        instance_id=saved.instance_id,
        workflow=names.ORDER_PROCESSING,
        recorded_at=saved.saved_at,
        events=tuple(saved.events),
    )
    try:
        events = recording.history()
    except HistoryUnavailable:
        return None
    if any(e.HasField("eventRaised") and e.eventRaised.name == APPROVAL_DECIDED for e in events):
        return None
    for event in events:
        if event.taskScheduled.name == steps.REQUEST_APPROVAL.activity:
            try:
                wanted = ApprovalWanted.model_validate_json(event.taskScheduled.input.value)
            except ValidationError:
                return None
            return wanted.expires_at
    return None
