"""A typed client for all services."""

import contextlib
import itertools
import json
import time
from collections.abc import Collection, Generator, Sequence
from typing import Any, Final, Self, TypeVar

import httpx
from pydantic import TypeAdapter, ValidationError

from orderflow_cli.errors import OrderflowError, RequestRejected
from orderflow_cli.feed import StatusFeed
from orderflow_cli.models import (
    DeadLetter,
    DeadLetterWithData,
    Outbox,
    Page,
    ParkedEvent,
    Resent,
    State,
)
from orderflow_cli.order_tracker import NOT_FOUND, OrderTracker
from orderflow_cli.proxies import open_client
from orderflow_cli.service import CONNECT_SECONDS, STRUCTURED_EVENT, TIMEOUT_SECONDS, Service
from orderflow_cli.settings import Settings
from orderflow_cli.workflows.client import Workflows
from orderflow_contracts import names
from orderflow_contracts.approvals import Approval, ApprovalStatus, Decision
from orderflow_contracts.attention import OrderAttention
from orderflow_contracts.batches import Batch
from orderflow_contracts.doctor import Diagnosis, Treatment
from orderflow_contracts.fields import Message, OrderId, now
from orderflow_contracts.inventory import RestockRequest, Stock
from orderflow_contracts.numbers import read_whole_number
from orderflow_contracts.orders import Order, OrderStatus, OrderStatusChanged, OrderSubmitted
from orderflow_contracts.tasks import Task, TaskId, TaskStatus

Item = TypeVar("Item", bound=Message)

PAGE_SIZE: Final = 100
OUT_OF_RANGE: Final = 422
DOCTOR_SECONDS: Final = 120.0
"""How long comparing everything may take; what disagrees is looked at twice."""
FIRST_PAUSE_SECONDS: Final = 0.05
LONGEST_PAUSE_SECONDS: Final = 1.0
_ORDER_ID: Final[TypeAdapter[str]] = TypeAdapter(OrderId)
_TASK_ID: Final[TypeAdapter[str]] = TypeAdapter(TaskId)


class Orderflow:
    """A client for orders, inventory, approvals and the orders sidecar. Thread-safe.

    Every method raises `OrderflowError` with a readable message: `RequestRejected` if a service
    answers with an error, `ServiceUnreachable` if it does not answer. `workflows` manages workflow
    instances.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._http = open_client(
            httpx.Timeout(TIMEOUT_SECONDS, connect=CONNECT_SECONDS), *settings.urls
        )
        credential = settings.credential
        self._orders = Service(names.ORDERS, settings.orders_url, self._http, credential)
        self.workflows = Workflows(self._orders)
        self._inventory = Service(names.INVENTORY, settings.inventory_url, self._http, credential)
        self._approvals = Service(names.APPROVALS, settings.approvals_url, self._http, credential)
        self._sidecar = Service("the sidecar of orders", settings.sidecar_url, self._http)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections."""
        self._http.close()

    def publish(self, order: OrderSubmitted) -> None:
        """Publish an order as an event; safe to repeat after an error."""
        data = order.model_dump(mode="json")
        self.publish_data(data, event_id=order.order_id, subject=order.order_id)

    def publish_data(self, data: object, *, event_id: str, subject: str | None = None) -> None:
        """Publish any JSON value on `orders.submitted` as a structured CloudEvent."""
        self._publish(names.ORDERS_SUBMITTED, data, event_id, subject)

    def publish_batch(self, batch_id: str, orders: Sequence[object]) -> None:
        """Publish orders as one batch; publishing the same batch again has no effect."""
        data = {"batch_id": _valid_id(batch_id, "batch"), "orders": list(orders)}
        self._publish(names.ORDERS_BATCH_SUBMITTED, data, batch_id, batch_id)

    def batch(self, batch_id: str) -> Batch:
        """Return a batch with its orders."""
        return self._orders.read(f"/batches/{_valid_id(batch_id, 'batch')}", Batch)

    def _publish(self, topic: str, data: object, event_id: str, subject: str | None) -> None:
        event: dict[str, object] = {
            "specversion": "1.0",
            "id": event_id,
            "type": names.event_type(topic),
            "source": names.event_source("cli"),
            "time": now().isoformat(),
            "datacontenttype": "application/json",
            "data": data,
        }
        if subject is not None:
            event["subject"] = subject
        path = f"/v1.0/publish/{names.PUBSUB}/{topic}"
        self._sidecar.send(path, json.dumps(event).encode(), STRUCTURED_EVENT)

    def statuses(self) -> StatusFeed:
        """Return the feed of status changes; enter it before publishing, so that none is missed."""
        return StatusFeed(self.settings.orders_url, self.settings.credential)

    def follow(
        self,
        order_id: str,
        *,
        until: Collection[OrderStatus] = (),
        timeout: float | None = None,
        after: int = 0,
        feed: StatusFeed | None = None,
    ) -> Generator[OrderStatusChanged, None, None]:
        """Yield an order's status changes after a sequence number, up to a final or given status.

        Without a feed, one is opened, and earlier changes come first. Raises `WaitTimedOut` after
        `timeout` seconds.
        """
        with contextlib.ExitStack() as stack:
            open_feed = feed or stack.enter_context(self.statuses())
            tracker = OrderTracker(self.order, open_feed, [order_id], after=after, timeout=timeout)
            earlier = tracker.catch_up() if feed is None else ()
            for change in itertools.chain(earlier, tracker):
                yield change
                if change.status in until:
                    return

    def order(self, order_id: str) -> Order:
        """Return an order with its history."""
        return self._orders.read(f"/orders/{_valid_id(order_id)}", Order)

    def orders(self, status: OrderStatus | None = None, limit: int = PAGE_SIZE) -> list[Order]:
        """List up to `limit` orders, in the service's own order."""
        return self._list(self._orders, "/orders", Page[Order], limit, status=status)

    def cancel(self, order_id: str) -> None:
        """Request cancellation of an order; its final status shows whether it succeeded."""
        self._orders.do(f"/orders/{_valid_id(order_id)}/cancel")

    def retry(self, order_id: str) -> None:
        """Retry the failed compensations of an order that needs attention."""
        self._orders.do(f"/orders/{_valid_id(order_id)}/retry")

    def attention(self, order_id: str) -> OrderAttention:
        """Return which compensations an order that needs attention still lacks."""
        return self._orders.read(f"/orders/{_valid_id(order_id)}/attention", OrderAttention)

    def approvals(
        self, status: ApprovalStatus | None = None, limit: int = PAGE_SIZE
    ) -> list[Approval]:
        """List approval requests."""
        return self._list(self._approvals, "/approvals", Page[Approval], limit, status=status)

    def decide(self, order_id: str, decision: Decision, *, wait_seconds: float = 0.0) -> Approval:
        """Approve or deny; wait up to `wait_seconds` for an approval request that is on its way.

        Returns the updated approval, which is still pending if a second approver is needed. A
        token can only decide in its own name, so it is not sent for any other approver.
        """
        credential, approvals = self.settings.credential, self._approvals
        if credential is not None and credential.name not in (None, decision.approver):
            approvals = approvals.without_credential()
        path = f"/approvals/{_valid_id(order_id)}/decision"
        end, pause = time.monotonic() + wait_seconds, FIRST_PAUSE_SECONDS
        while True:
            try:
                return approvals.ask(path, Approval, decision.model_dump(mode="json"))
            except RequestRejected as rejection:
                if rejection.status != NOT_FOUND or time.monotonic() + pause > end:
                    raise
                time.sleep(pause)
                pause = min(pause * 2, LONGEST_PAUSE_SECONDS)

    def stock(self) -> Stock:
        """Return the current stock."""
        return self._inventory.read("/stock", Stock)

    def restock(self, item: str | None = None, quantity: int | None = None) -> Stock:
        """Add stock, or reset one or all items to the opening stock."""
        try:
            request = RestockRequest(item=item, quantity=quantity).model_dump(exclude_none=True)
        except ValidationError as error:
            fault = error.errors(include_url=False)[0]
            raise OrderflowError(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}") from None
        path = f"/v1.0/invoke/{names.INVENTORY}/method/{names.RESTOCK}"
        return self._sidecar.ask(path, Stock, request)

    def tasks(self, status: TaskStatus | None = None, limit: int = PAGE_SIZE) -> list[Task]:
        """List up to `limit` tasks."""
        return self._list(self._orders, "/tasks", Page[Task], limit, status=status)

    def task(self, task_id: str) -> Task:
        """Return a task."""
        return self._orders.read(f"/tasks/{_valid_task_id(task_id)}", Task)

    def complete_task(self, task_id: str) -> Task:
        """Report a task as completed; its status follows a moment later."""
        return self._orders.ask(f"/tasks/{_valid_task_id(task_id)}/complete", Task, {})

    def dead_letters(
        self, limit: int = PAGE_SIZE, state: State | None = None, **wanted: str | None
    ) -> list[DeadLetter]:
        """List up to `limit` dead letters of each service that stores them, all or in a state.

        `wanted` are further parameters of the services' `GET /dead-letters`.
        """
        return [
            letter.model_copy(update={"service": service.name})
            for service in self._with_events()
            for letter in self._list(
                service, "/dead-letters", Page[DeadLetter], limit, state=state, **wanted
            )
        ]

    def dead_letter(self, name: str) -> DeadLetterWithData:
        """Return a dead letter by its name, or by its number if only one service has it."""
        place, _, number = name.rpartition(":")
        asked = [service for service in self._with_events() if place in ("", service.name)]
        if read_whole_number(number) is None:
            asked = []
        candidates = [self._letter(service, number) for service in asked]
        found = [letter for letter in candidates if letter is not None]
        if not found:
            raise OrderflowError(
                f"there is no dead letter {name}; list them with `orderflow dead-letters`"
            )
        if len(found) > 1:
            choice = " or ".join(letter.name for letter in found)
            raise OrderflowError(f"{name} is ambiguous: use {choice}")
        return found[0]

    def resend(self, letter: DeadLetter, corrected: bytes | None = None) -> str:
        """Publish a dead letter again, as it was or corrected; return the event's id."""
        path = f"/dead-letters/{letter.id}/resend"
        return self._service_of(letter).change(path, Resent, corrected).event_id

    def discard(self, letter: DeadLetter, reason: str) -> None:
        """Record that a dead letter needs nothing more."""
        self._service_of(letter).do(f"/dead-letters/{letter.id}/discard", {"reason": reason})

    def parked_events(self, limit: int = PAGE_SIZE) -> list[ParkedEvent]:
        """List up to `limit` events of each service that are tried again."""
        return [
            event.model_copy(update={"service": service.name})
            for service in self._with_events()
            for event in self._list(service, "/parked-events", Page[ParkedEvent], limit)
        ]

    def outboxes(self) -> list[Outbox]:
        """Return what each service has yet to publish."""
        return [
            service.read("/outbox", Outbox).model_copy(update={"service": service.name})
            for service in self._with_events()
        ]

    def diagnose(self, order_id: str | None = None) -> Diagnosis:
        """Return what disagrees in all services, or about one order."""
        about = None if order_id is None else _valid_id(order_id)
        found = [
            service.read("/doctor", Diagnosis, timeout=DOCTOR_SECONDS, order_id=about)
            for service in self._with_events()
        ]
        return Diagnosis(
            agrees=all(each.agrees for each in found),
            findings=tuple(finding for each in found for finding in each.findings),
        )

    def fix(self, order_id: str | None = None) -> Treatment:
        """Heal what it is safe to heal; return what was healed, and what is left."""
        about = None if order_id is None else _valid_id(order_id)
        done = [
            service.change("/doctor/fix", Treatment, timeout=DOCTOR_SECONDS, order_id=about)
            for service in self._with_events()
        ]
        return Treatment(
            agrees=all(each.agrees for each in done),
            healed=tuple(finding for each in done for finding in each.healed),
            left=tuple(finding for each in done for finding in each.left),
        )

    def _with_events(self) -> tuple[Service, ...]:
        return (self._orders, self._approvals)

    def _service_of(self, letter: DeadLetter) -> Service:
        return self._orders if letter.service == names.ORDERS else self._approvals

    def _letter(self, service: Service, number: str) -> DeadLetterWithData | None:
        """Return the dead letter with this number of a service, or None."""
        try:
            letter = service.read(f"/dead-letters/{number}", DeadLetterWithData)
        except RequestRejected as rejection:
            if rejection.status not in (NOT_FOUND, OUT_OF_RANGE):
                raise
            return None
        return letter.model_copy(update={"service": service.name})

    def _list(
        self,
        service: Service,
        path: str,
        page_of: type[Page[Item]],
        limit: int,
        **wanted: Any,
    ) -> list[Item]:
        items: list[Item] = []
        after = None
        while len(items) < limit:
            size = min(PAGE_SIZE, limit - len(items))
            page = service.read(path, page_of, limit=size, after=after, **wanted)
            items.extend(page.items)
            after = page.next
            if after is None:
                break
        return items


def _valid_id(order_id: str, kind: str = "order") -> str:
    """Return the ID if it is well-formed; any other text could lead to another URL path."""
    try:
        return _ORDER_ID.validate_python(order_id)
    except ValidationError:
        raise OrderflowError(
            f"{order_id!r} is not a valid {kind} ID: use 1 to 64 letters, digits, - or _"
        ) from None


def _valid_task_id(task_id: str) -> str:
    """Return the task ID if it is well-formed, for the same reason."""
    try:
        return _TASK_ID.validate_python(task_id)
    except ValidationError:
        raise OrderflowError(
            f"{task_id!r} is not a valid task ID: use 1 to 80 letters, digits, - or _"
        ) from None
