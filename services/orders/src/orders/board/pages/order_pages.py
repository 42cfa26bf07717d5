"""The page of an order: its timeline, payments, reserved stock, and the possible actions."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol
from urllib.parse import quote

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from orderflow_contracts.attention import OrderAttention
from orderflow_contracts.orders import REFUSALS, Order, OrderStatus
from orderflow_contracts.tasks import Task
from orderflow_hosting.access import Role, form, page
from orderflow_hosting.problems import Problem
from orderflow_hosting.web import Site
from orderflow_workflow_runtime.instances import HistoryEvent
from orderflow_workflow_runtime.ports import EngineUnavailable, NoSuchInstance
from orders import workflow_names as names
from orders.board.store import BoardStore
from orders.board.timeline import timeline
from orders.domain import OrderEnded, UnknownOrder, was_requested
from orders.order_ids import PathOrderId
from orders.ordering.service import Intake
from orders.ordering.steps import ACTIONS
from orders.ordering.store import OrderStore
from orders.own_instances import UNDOS
from orders.payments.store import PaymentStore
from orders.tasks.store import TaskStore

HISTORY_SECONDS: Final = 3.0
"""How long a page waits for the engine; after that, its timeline shows only statuses."""

MESSAGES: Final[Mapping[str, tuple[str, str]]] = {
    "placed": ("good", "Order placed."),
    "cancel": ("wait", "Cancellation requested. The order stops before its next step."),
    "retry": ("wait", "The rollback is being retried."),
}
NOTHING_RESERVED: Final = "No stock reserved."


class Histories(Protocol):
    """Reads the histories of workflows."""

    async def history(self, instance_id: str) -> list[HistoryEvent]:
        """Read a history. Raises `NoSuchInstance` or `EngineUnavailable`."""
        ...


class AttentionReader(Protocol):
    """Reads the state of orders that need attention."""

    async def of(self, order_id: str) -> OrderAttention | None:
        """Return the state of an order that needs attention, or None for any other order."""
        ...


@dataclass(frozen=True)
class OrderPages:
    """The page of an order."""

    site: Site
    store: OrderStore
    board: BoardStore
    payments: PaymentStore
    tasks: TaskStore
    intake: Intake
    histories: Histories
    attention: AttentionReader
    inbox_url: str

    def router(self) -> APIRouter:
        """Serve the page, and the cancellation of an order."""
        router = APIRouter(prefix="/board/orders/{order_id}", include_in_schema=False)

        @router.get("", dependencies=[page()])
        async def show(request: Request, order_id: PathOrderId) -> Response:
            context = await self._context(await self._known(order_id))
            found = MESSAGES.get(request.query_params.get("done", ""))
            message = {"tone": found[0], "text": found[1]} if found else None
            return self.site.page(request, "order.html", message=message, **context)

        @router.get("/cancel", dependencies=[page(Role.OPERATOR)])
        async def confirm_cancel(request: Request, order_id: PathOrderId) -> Response:
            order = await self._known(order_id)
            if order.status.is_final:
                raise Problem(409, "ORDER_ENDED", str(OrderEnded(order_id, order.status)))
            return self.site.page(request, "cancel-order.html", order=order)

        @router.post("/cancel", dependencies=[form(Role.OPERATOR, "order.cancel")])
        async def cancel(order_id: PathOrderId) -> Response:
            try:
                await self.intake.cancel(order_id)
            except UnknownOrder as error:
                raise Problem(404, "ORDER_NOT_FOUND", str(error)) from error
            except OrderEnded as error:
                raise Problem(409, "ORDER_ENDED", str(error)) from error
            return RedirectResponse(f"/board/orders/{order_id}?done=cancel", status_code=303)

        return router

    async def _known(self, order_id: str) -> Order:
        order = await self.store.order(order_id)
        if order is None:
            raise Problem(404, "ORDER_NOT_FOUND", str(UnknownOrder(order_id)))
        return order

    async def _context(self, order: Order) -> dict[str, Any]:
        order_id, status = order.order_id, order.status
        attention = await self._attention(order)
        histories = await self._histories(order, attention.retries if attention else 0)
        payments = await self.payments.entries(order_id)
        is_settled = attention is not None and attention.settled_at is not None
        needs_retry = attention is not None and not is_settled
        is_retrying = attention is not None and attention.retrying_since is not None
        cancel_requested_at = await self.board.cancel_requested_at(order_id)
        signs = {"charge": 1, "refund": -1}
        return {
            "order": order,
            "entries": timeline(order, *(histories or {}).values()),
            "workflow_ids": list(histories or {}),
            "is_engine_there": histories is not None,
            "payments": [payment for payment in payments if payment.amount_cents],
            "net_cents": sum(signs[each.kind] * each.amount_cents for each in payments),
            "stock": NOTHING_RESERVED if is_settled else stock_reserved(status),
            "has_reservation": has_reservation(status),
            "task": await self._task(order_id),
            "batch_id": await self.board.batch_of(order_id),
            "attention": attention,
            "not_undone": _names(attention.not_undone or ()) if attention else [],
            "cancel_requested_at": cancel_requested_at,
            "can_cancel": not status.is_final and cancel_requested_at is None,
            "can_retry": needs_retry and not is_retrying,
            "approval_url": self._approval_url(order),
            "is_live": not status.is_final or is_retrying,
        }

    async def _attention(self, order: Order) -> OrderAttention | None:
        if order.status not in {OrderStatus.NEEDS_ATTENTION, OrderStatus.CANCELLED}:
            return None
        return await self.attention.of(order.order_id)

    async def _task(self, order_id: str) -> Task | None:
        return await self.tasks.task(f"{names.PICK_TASK_PREFIX}{order_id}")

    async def _histories(
        self, order: Order, retries: int
    ) -> dict[str, Sequence[HistoryEvent]] | None:
        """Read the histories of an order's workflows; None if the engine does not respond.

        A refused order has none, even if another workflow has its id.
        """
        if order.reason in REFUSALS:
            return {}
        order_id = order.order_id
        undone = [order_id, *(f"{order_id}.{retry}" for retry in range(1, retries + 1))]
        ids = [order_id, *(undo for subject in undone for undo in UNDOS.ids_of(subject))]
        try:
            async with asyncio.timeout(HISTORY_SECONDS):
                found = await asyncio.gather(*map(self._history, ids))
        except (TimeoutError, EngineUnavailable):
            return None
        return {name: events for name, events in zip(ids, found, strict=True) if events}

    async def _history(self, instance_id: str) -> Sequence[HistoryEvent]:
        try:
            return await self.histories.history(instance_id)
        except NoSuchInstance:
            return ()

    def _approval_url(self, order: Order) -> str | None:
        if not was_requested(order):
            return None
        return f"{self.inbox_url.rstrip('/')}/inbox/requests/{quote(order.order_id, safe='')}"


def _names(activities: Iterable[str]) -> list[str]:
    """Return the names of actions, for the middle of a sentence."""
    found = [ACTIONS[name].name if name in ACTIONS else name for name in activities]
    return [name[:1].lower() + name[1:] for name in found]


def has_reservation(status: OrderStatus) -> bool:
    """Whether stock is reserved for an order with this status."""
    return not status.is_final and status is not OrderStatus.RECEIVED


def stock_reserved(status: OrderStatus) -> str:
    """Describe what is reserved for an order with this status."""
    if has_reservation(status):
        return "Reserved for this order:"
    if status is OrderStatus.RECEIVED:
        return "No stock reserved yet."
    if status is OrderStatus.COMPLETED:
        return "No stock reserved: everything has been shipped."
    if status is OrderStatus.NEEDS_ATTENTION:
        return "Stock may still be reserved: the rollback is not complete."
    return NOTHING_RESERVED
