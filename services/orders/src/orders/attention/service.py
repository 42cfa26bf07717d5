"""Orders that need attention: retry the failed compensations until none is left."""

from functools import partial

import structlog

from orderflow_contracts.attention import OrderAttention
from orderflow_hosting.background import BackgroundWork
from orderflow_workflow_runtime.ports import Engine, EngineUnavailable
from orders.attention.store import AttentionStore, Retry
from orders.ordering.messages import Retried
from orders.ordering.undo import OrderUndo
from orders.own_instances import UNDOS

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class Attention:
    """What a person can do about an order whose rollback failed."""

    def __init__(
        self,
        store: AttentionStore,
        engine: Engine,
        order_undo: OrderUndo,
        background: BackgroundWork,
    ) -> None:
        self._store = store
        self._engine = engine
        self._order_undo = order_undo
        self._background = background

    async def retry(self, order_id: str, by: str) -> bool:
        """Retry the rollback, now or once the engine responds; return False for an unknown order.

        A retry in progress is not started twice. Raises `NothingToRetry`.
        """
        retry = await self._store.begin(order_id, by)
        if retry is None:
            return False
        log.info("undo_retried", order_id=order_id, retry=retry.number, by=by)
        self._start(retry)
        return True

    async def of(self, order_id: str) -> OrderAttention | None:
        """Return the state of an order that needs attention, or None for any other order."""
        attention = await self._store.attention(order_id)
        if attention is None or attention.not_undone is not None:
            return attention
        try:
            left_over = await self._first_left_over(order_id)
        except EngineUnavailable:
            left_over = None
        return attention.model_copy(update={"not_undone": left_over})

    async def conclude(self, retried: Retried) -> None:
        """Record the result of a retry."""
        if await self._store.conclude(retried.order_id, retried.retry, retried.not_undone):
            log.info(
                "undo_retry_ended",
                order_id=retried.order_id,
                retry=retried.retry,
                not_undone=list(retried.not_undone),
            )

    async def resume(self) -> None:
        """Resume the retries that an earlier process or another replica left unfinished."""
        for retry in await self._store.in_progress():
            self._start(retry)

    def _start(self, retry: Retry) -> None:
        order_id = retry.order_id
        undo = partial(self._undo_again, retry)
        self._background.retry(undo, "undo_retry_delayed", key=order_id, order_id=order_id)

    async def _undo_again(self, retry: Retry) -> None:
        left_over = retry.not_undone or await self._first_left_over(retry.order_id)
        await self._order_undo.again(retry.order_id, retry.run_id, retry.number, left_over)

    async def _first_left_over(self, order_id: str) -> tuple[str, ...] | None:
        """Return the compensations that failed in the order's workflow, if it still exists."""
        for instance_id in (*UNDOS.ids_of(order_id), order_id):
            instance = await self._engine.instance(instance_id)
            custom = instance.custom_status if instance is not None else None
            if isinstance(custom, dict) and isinstance(custom.get("not_undone"), list):
                return tuple(map(str, custom["not_undone"]))
        return None
