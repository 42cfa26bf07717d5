"""Every message and reply as other programs see it: golden JSON files that must not change."""

import json
import pkgutil
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter

import orderflow_contracts
import orderflow_contracts.topics
from orderflow_contracts import access
from orderflow_contracts.approvals import (
    Approval,
    ApprovalRequested,
    ApprovalStatus,
    ApprovalWithdrawn,
    Decision,
    DecisionMade,
    DecisionTaken,
    RaiseReply,
    RaiseRequest,
    Requests,
    RequestsWanted,
)
from orderflow_contracts.attention import OrderAttention
from orderflow_contracts.batches import (
    Batch,
    BatchedOrder,
    BatchStatus,
    BatchStatusChanged,
    BatchSubmitted,
)
from orderflow_contracts.fields import Message
from orderflow_contracts.inventory import (
    RESERVE_REPLY,
    CommitRequest,
    Committed,
    LowStock,
    OrderReservation,
    Released,
    ReleaseRequest,
    ReservationRejected,
    Reservations,
    ReservationsWanted,
    Reserved,
    ReservedLine,
    ReserveRequest,
    RestockRequest,
    Shortage,
    Stock,
    StockItem,
)
from orderflow_contracts.names import SERVICES
from orderflow_contracts.orders import (
    HistoryEntry,
    Order,
    OrderLine,
    OrderStatus,
    OrderStatusChanged,
    OrderSubmitted,
    PlacedOrder,
    Reason,
    ShortOrderSubmitted,
)
from orderflow_contracts.tasks import Task, TaskCompleted, TaskStatus

GOLDEN = Path(__file__).parent / "golden"
EXAMPLES = Path(orderflow_contracts.topics.__file__).parent / "examples"
AT = datetime(2026, 3, 1, 12, 30, 15, 123456, UTC)
LATER = datetime(2026, 3, 2, 12, 30, 15, tzinfo=UTC)
REFUSED_ENTRY = BatchedOrder(
    number=2,
    status=OrderStatus.REJECTED,
    reason=Reason.INVALID,
    detail="body is 7: must be an object.",
)
LINES = (OrderLine(item="cars", quantity=11), OrderLine(item="paperclip", quantity=2))

PENDING = Approval(
    order_id="order-1",
    customer_id="alice",
    lines=LINES,
    total_cents=165_010_00,
    status=ApprovalStatus.PENDING,
    requested_at=AT,
    expires_at=LATER,
)
MESSAGES: Mapping[str, Message] = {
    "tasks.completed": TaskCompleted(task_id="task-1", completed_at=AT),
    "task": Task(
        task_id="pick-order-1",
        instance_id="pick.order-1",
        title="Pick 11 cars for order order-1",
        assignee="warehouse",
        order_id="order-1",
        status=TaskStatus.ASSIGNED,
        created_at=AT,
        updated_at=LATER,
    ),
    "orders.submitted": OrderSubmitted(order_id="order-1", customer_id="alice", lines=LINES),
    "orders.status": OrderStatusChanged(
        order_id="order-1",
        sequence=2,
        status=OrderStatus.RESERVED,
        total_cents=165_010_00,
        at=AT,
    ),
    "orders.status-rejected": OrderStatusChanged(
        order_id="order-1",
        sequence=2,
        status=OrderStatus.REJECTED,
        reason=Reason.OUT_OF_STOCK,
        detail="cars: 11 ordered, but only 3 are available.",
        at=AT,
    ),
    "approvals.requested": ApprovalRequested(
        order_id="order-1",
        customer_id="alice",
        lines=LINES,
        total_cents=165_010_00,
        expires_at=LATER,
    ),
    "approvals.requested-reminder": ApprovalRequested(
        order_id="order-1",
        customer_id="alice",
        lines=LINES,
        total_cents=165_010_00,
        expires_at=LATER,
        levels=2,
        reminder=True,
    ),
    "approvals.decisions": DecisionMade(
        order_id="order-1", approved=True, approver="bob", comment="a good customer"
    ),
    "approvals.withdrawn": ApprovalWithdrawn(order_id="order-1", reason="cancelled_on_request"),
    "reserve-request": ReserveRequest(order_id="order-1", lines=LINES),
    "reserve-reply-reserved": Reserved(
        total_cents=165_010_00,
        lines=(
            ReservedLine(item="cars", quantity=11, unit_price_cents=15_000_00),
            ReservedLine(item="paperclip", quantity=2, unit_price_cents=5_00),
        ),
    ),
    "reserve-reply-rejected": ReservationRejected(
        reason="out_of_stock", shortages=(Shortage(item="cars", requested=11, available=3),)
    ),
    "commit-request": CommitRequest(order_id="order-1"),
    "commit-reply": Committed(remaining={"cars": 89, "paperclip": 98}),
    "release-request": ReleaseRequest(order_id="order-1"),
    "release-reply": Released(),
    "reservations-request": ReservationsWanted(order_ids=("order-1", "order-2")),
    "reservations-request-open": ReservationsWanted(after="order-1"),
    "reservations-reply": Reservations(
        reservations=(
            OrderReservation(
                order_id="order-1",
                state="reserved",
                lines=(ReservedLine(item="cars", quantity=11, unit_price_cents=15_000_00),),
            ),
        ),
        next="order-1",
    ),
    "restock-request": RestockRequest(item="cars", quantity=5),
    "stock": Stock(
        items=(
            StockItem(
                item="cars", on_hand=100, reserved=11, available=89, unit_price_cents=15_000_00
            ),
        )
    ),
    "inventory.low-stock": LowStock(item="cars", available=9, threshold=10),
    "requests-wanted": RequestsWanted(order_ids=("order-1",)),
    "requests-reply": Requests(requests=(PENDING,), next="order-1"),
    "raise-request": RaiseRequest(
        order_id="order-1", data=Decision(approved=False, approver="bob", comment="too much")
    ),
    "raise-reply": RaiseReply(outcome="too_late"),
    "order": Order(
        order_id="order-1",
        customer_id="alice",
        lines=LINES,
        status=OrderStatus.CANCELLED,
        reason=Reason.CANCELLED_ON_REQUEST,
        total_cents=165_010_00,
        sequence=2,
        created_at=AT,
        updated_at=LATER,
        history=(
            HistoryEntry(sequence=1, status=OrderStatus.RECEIVED, at=AT),
            HistoryEntry(
                sequence=2,
                status=OrderStatus.CANCELLED,
                reason=Reason.CANCELLED_ON_REQUEST,
                at=LATER,
            ),
        ),
    ),
    "order-attention": OrderAttention(
        order_id="order-1",
        not_undone=("refund_payment_activity",),
        retries=1,
        retried_by="olga",
        failed_at=LATER,
    ),
    "approval-pending": PENDING,
    "approval-decided": Approval(
        order_id="order-1",
        customer_id="alice",
        lines=LINES,
        total_cents=165_010_00,
        status=ApprovalStatus.APPROVED,
        requested_at=AT,
        expires_at=LATER,
        approver="bob",
        comment="a good customer",
        decided_at=LATER,
        levels=2,
        decisions=(
            DecisionTaken(level=1, approved=True, approver="ada", comment="", decided_at=AT),
            DecisionTaken(
                level=2,
                approved=True,
                approver="bob",
                comment="a good customer",
                decided_at=LATER,
            ),
        ),
    ),
    "orders.batch-submitted": BatchSubmitted(
        batch_id="batch-1",
        orders=(
            {
                "order_id": "order-3",
                "customer_id": "alice",
                "lines": [{"item": "paperclip", "quantity": 2}],
            },
            {"item": "cars", "quantity": 1},
        ),
    ),
    "orders.batch-submitted-odd": BatchSubmitted(
        batch_id="batch-1",
        orders=({"order_id": "order-1", "item": "cars", "quantity": 11}, "any entry"),
    ),
    "orders.batch-status": BatchStatusChanged(
        batch_id="batch-1",
        status=BatchStatus.COMPLETED,
        total=2,
        counts={OrderStatus.COMPLETED: 1, OrderStatus.REJECTED: 1},
        total_cents=165_010_00,
        created_at=AT,
        ended_at=LATER,
        refused=(REFUSED_ENTRY,),
    ),
    "batch": Batch(
        batch_id="batch-1",
        status=BatchStatus.RUNNING,
        total=2,
        counts={OrderStatus.PAID: 1, OrderStatus.REJECTED: 1},
        total_cents=0,
        created_at=AT,
        orders=(
            BatchedOrder(
                number=1, order_id="order-1", status=OrderStatus.PAID, total_cents=165_010_00
            ),
            REFUSED_ENTRY,
        ),
    ),
}


def path_of(name: str) -> Path:
    """Return an example that contracts publish, or else one of the golden files of the tests."""
    published = EXAMPLES / f"{name}.json"
    return published if published.exists() else GOLDEN / f"{name}.json"


def golden(name: str) -> Any:
    return json.loads(path_of(name).read_text(encoding="utf-8"))


def models_in(part: object) -> Iterator[type]:
    """Find the models of a message and of its parts, with their bases."""
    if isinstance(part, Message):
        yield from type(part).__mro__
        for _, value in part:
            yield from models_in(value)
    elif isinstance(part, tuple):
        for each in part:
            yield from models_in(each)


def declared_models() -> set[type]:
    """Return every message model of the package."""
    found: set[type] = set()
    for module in pkgutil.iter_modules(orderflow_contracts.__path__):
        values = vars(import_module(f"orderflow_contracts.{module.name}")).values()
        found |= {each for each in values if isinstance(each, type) and issubclass(each, Message)}
    return found


def with_surplus(document: Any) -> Any:
    """Add an unknown field to every object that is a message."""
    if isinstance(document, list):
        return [with_surplus(part) for part in document]
    if isinstance(document, dict):
        surplus = {
            key: with_surplus(value)
            for key, value in document.items()
            if key not in {"remaining", "counts", "orders"}
        }
        return {**document, **surplus, "added_later": {"by": ["another", "version"]}}
    return document


@pytest.mark.parametrize("name", MESSAGES)
def test_a_message_serializes_to_its_golden_file(name: str) -> None:
    """Other programs rely on names, types and structure."""
    written = MESSAGES[name].model_dump(mode="json")

    assert written == golden(name)
    assert list(written) == list(golden(name))


@pytest.mark.parametrize("name", MESSAGES)
def test_a_golden_file_parses_to_its_message(name: str) -> None:
    """It does so from JSON text and from parsed JSON."""
    model = type(MESSAGES[name])

    assert model.model_validate(golden(name)) == MESSAGES[name]
    assert model.model_validate_json(json.dumps(golden(name))) == MESSAGES[name]


@pytest.mark.parametrize("name", MESSAGES)
def test_unknown_fields_are_ignored(name: str) -> None:
    """A publisher may add fields, at any level, before its consumers know them."""
    model = type(MESSAGES[name])

    assert model.model_validate(with_surplus(golden(name))) == MESSAGES[name]


@pytest.mark.parametrize("name", MESSAGES)
def test_a_message_cannot_be_changed(name: str) -> None:
    """Messages are immutable."""
    message = MESSAGES[name]
    field = next(iter(type(message).model_fields))

    with pytest.raises(ValueError, match="frozen"):
        setattr(message, field, "other")


@pytest.mark.parametrize("name", ["reserve-reply-reserved", "reserve-reply-rejected"])
def test_the_outcome_selects_the_reply_to_reserve(name: str) -> None:
    """`outcome` alone distinguishes the two replies."""
    reply = RESERVE_REPLY.validate_json(json.dumps(golden(name)))

    assert reply == MESSAGES[name]


def test_every_golden_file_is_tested() -> None:
    """Every golden file belongs to a test."""
    files = [path.stem for folder in (GOLDEN, EXAMPLES) for path in folder.glob("*.json")]

    assert sorted(files) == sorted({*MESSAGES, "problem", "event", "orders.submitted-short"})


def test_every_topic_has_a_golden_file() -> None:
    """A topic that any service publishes or subscribes to has an example under its name."""
    topics = {topic for each in SERVICES.values() for topic in (*each.publishes, *each.subscribes)}

    assert topics - MESSAGES.keys() == set()


def test_every_model_is_in_a_golden_file() -> None:
    """Each message model is an example, a part of one, or the base of either.

    The models in `access` describe a file, which no other program reads. An order that is placed
    has two more models for the same message.
    """
    forms = {PlacedOrder, ShortOrderSubmitted}
    in_files = {each for each in declared_models() if each.__module__ == access.__name__}
    in_examples = {model for message in MESSAGES.values() for model in models_in(message)}

    assert declared_models() - in_files - in_examples - forms == set()


def test_the_short_form_is_one_line_of_an_anonymous_customer() -> None:
    """`order_id`, `item` and `quantity` are sufficient for an order."""
    order = OrderSubmitted.model_validate(golden("orders.submitted-short"))

    assert order == OrderSubmitted(
        order_id="order-2", customer_id="anonymous", lines=(OrderLine(item="cars", quantity=11),)
    )


def test_the_short_form_is_described_completely() -> None:
    """Its description has all fields of an order, and those of a line in place of `lines`."""
    fields = {*OrderSubmitted.model_fields, *OrderLine.model_fields} - {"lines"}

    assert set(ShortOrderSubmitted.model_fields) == fields


def test_the_short_form_may_name_its_customer() -> None:
    """The customer of a short form is kept."""
    order = OrderSubmitted.model_validate(
        {**golden("orders.submitted-short"), "customer_id": "eve"}
    )

    assert order.customer_id == "eve"


def test_lines_take_precedence_over_the_short_form() -> None:
    """If both forms are given, the long one counts."""
    both = {**golden("orders.submitted"), "item": "boats", "quantity": 3}

    assert OrderSubmitted.model_validate(both) == MESSAGES["orders.submitted"]


def test_the_sequence_of_lines_does_not_matter() -> None:
    """Content is compared by customer and lines, in any sequence."""
    order = OrderSubmitted(order_id="order-1", customer_id="alice", lines=LINES)

    assert order.same_content_as(order.model_copy(update={"lines": tuple(reversed(LINES))}))
    assert not order.same_content_as(order.model_copy(update={"customer_id": "eve"}))
    assert not order.same_content_as(order.model_copy(update={"lines": LINES[:1]}))


def test_a_request_of_an_earlier_version_needs_one_approval() -> None:
    """Without levels and reminder it is a first request, for one person."""
    document = golden("approvals.requested")
    older = {key: document[key] for key in document if key not in {"levels", "reminder"}}

    assert ApprovalRequested.model_validate(older) == MESSAGES["approvals.requested"]


def test_times_are_written_in_utc() -> None:
    """A time with another offset is converted."""
    read = TypeAdapter(OrderStatusChanged).validate_python(
        {**golden("orders.status"), "at": "2026-03-01T14:30:15.123456+02:00"}
    )

    assert read.model_dump(mode="json")["at"] == golden("orders.status")["at"]
