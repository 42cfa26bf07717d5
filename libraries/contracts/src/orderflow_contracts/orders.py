"""Events about orders, and the order as the API shows it."""

from enum import StrEnum
from typing import Annotated, Any, Final

from pydantic import AfterValidator, Field, create_model, field_validator, model_validator

from orderflow_contracts.fields import Cents, Message, Moment, Name, OrderId, Quantity

WORDS_OF_PATHS: Final = frozenset({"stream"})
"""What follows `/orders/` in paths and is not the id of an order."""
ANONYMOUS: Final = "anonymous"
"""The customer of an order in the short form that does not name one."""


class OrderStatus(StrEnum):
    """The status of an order."""

    RECEIVED = "received"
    RESERVED = "reserved"
    AWAITING_APPROVAL = "awaiting_approval"
    APPROVED = "approved"
    PAID = "paid"
    COMPLETED = "completed"
    REJECTED = "rejected"
    CANCELLED = "cancelled"
    FAILED = "failed"
    NEEDS_ATTENTION = "needs_attention"

    @property
    def is_final(self) -> bool:
        """Whether an order with this status has ended."""
        return self in FINAL_STATUSES


FINAL_STATUSES: Final = frozenset(
    {
        OrderStatus.COMPLETED,
        OrderStatus.REJECTED,
        OrderStatus.CANCELLED,
        OrderStatus.FAILED,
        OrderStatus.NEEDS_ATTENTION,
    }
)


class Reason(StrEnum):
    """Why an order has its status."""

    INVALID = "invalid"
    UNKNOWN_ITEM = "unknown_item"
    OUT_OF_STOCK = "out_of_stock"
    RELEASED = "released"
    DENIED = "denied"
    APPROVAL_EXPIRED = "approval_expired"
    PAYMENT_DECLINED = "payment_declined"
    CANCELLED_ON_REQUEST = "cancelled_on_request"
    TERMINATED_BY_OPERATOR = "terminated_by_operator"
    WORKFLOW_FAILED = "workflow_failed"
    INVENTORY_UNAVAILABLE = "inventory_unavailable"
    APPROVAL_UNAVAILABLE = "approval_unavailable"
    PAYMENT_UNAVAILABLE = "payment_unavailable"
    UNDO_FAILED = "undo_failed"
    PICKING_TIMED_OUT = "picking_timed_out"
    PICKING_UNAVAILABLE = "picking_unavailable"
    ID_TAKEN = "id_taken"


REFUSALS: Final = frozenset({Reason.INVALID, Reason.ID_TAKEN})
"""Reasons that end a submission only: the first one that is accepted continues the order."""


class OrderLine(Message):
    """A number of units of one item."""

    item: Name
    quantity: Quantity


def _each_item_once(lines: tuple[OrderLine, ...]) -> tuple[OrderLine, ...]:
    seen: set[str] = set()
    for line in lines:
        if line.item in seen:
            raise ValueError(f"item {line.item!r} is named more than once")
        seen.add(line.item)
    return lines


Lines = Annotated[
    tuple[OrderLine, ...], Field(min_length=1, max_length=100), AfterValidator(_each_item_once)
]
"""1 to 100 lines that name each item once."""


_FIRST_FIELDS: Final = ("order_id", "customer_id", "lines")


class OrderDetails(Message):
    """What a customer orders. Every service, page and command carries all these fields.

    A field that is added here must have a default, because stored orders and other publishers do
    not have it. Its `title` is the label that people see.
    """

    order_id: OrderId
    customer_id: Name
    lines: Lines

    @classmethod
    def further_fields(cls) -> dict[str, str]:
        """Return the labels of the fields beyond id, customer and lines, by field name."""
        return {
            name: field.title or name.replace("_", " ").capitalize()
            for name, field in OrderDetails.model_fields.items()
            if name not in _FIRST_FIELDS
        }

    def further_values(self) -> dict[str, str]:
        """Return the values of the further fields that have one, as text, by label."""
        values = {label: getattr(self, name) for name, label in self.further_fields().items()}
        return {label: str(value) for label, value in values.items() if value is not None}


class OrderSubmitted(OrderDetails):
    """Topic `orders.submitted`: a customer places an order.

    The short form `{"order_id", "item", "quantity"}` stands for one line of an anonymous
    customer. If `order_id` is missing, the CloudEvent's id becomes the order's or, if it cannot,
    one that is derived from its source and id.
    """

    @model_validator(mode="before")
    @classmethod
    def _accept_short_form(cls, data: object) -> object:
        if isinstance(data, dict) and "lines" not in data and "item" in data:
            line = {key: data[key] for key in ("item", "quantity") if key in data}
            rest = {key: value for key, value in data.items() if key not in ("item", "quantity")}
            return {"customer_id": ANONYMOUS, **rest, "lines": [line]}
        return data

    def same_content_as(self, other: OrderDetails) -> bool:
        """Whether both orders have the same content; the order of lines does not matter."""
        return set(self.lines) == set(other.lines) and all(
            getattr(self, name) == getattr(other, name)
            for name in OrderDetails.model_fields
            if name not in ("order_id", "lines")
        )


_SHORT_FIELDS: Final[dict[str, Any]] = {
    **{
        name: (field.annotation, field)
        for name, field in (*OrderDetails.model_fields.items(), *OrderLine.model_fields.items())
        if name != "lines"
    },
    "customer_id": (Name, ANONYMOUS),
}

ShortOrderSubmitted: Final[type[Message]] = create_model(
    "ShortOrderSubmitted",
    __base__=Message,
    __doc__="Topic `orders.submitted`, in the short form: one line of an anonymous customer.",
    **_SHORT_FIELDS,
)
"""Describes the short form; `OrderSubmitted` reads it."""


class PlacedOrder(OrderSubmitted):
    """An order that somebody places now. Its id may not be a word of the API's paths.

    `GET /orders/stream` is the feed, so an order with that id could never be read.
    """

    @field_validator("order_id")
    @classmethod
    def _not_a_word_of_a_path(cls, order_id: str) -> str:
        if order_id in WORDS_OF_PATHS:
            raise ValueError(f"{order_id!r} is a word of the API's paths, and cannot be an id")
        return order_id


class OrderStatusChanged(Message):
    """Topic `orders.status`: the status of an order changed.

    `sequence` counts 1, 2, … for each order; the CloudEvent's id is `<order_id>.<sequence>`,
    so that a consumer can recognise a second delivery. `detail` is a sentence for people; every
    rejection has one. `rejected` with the reason `invalid` ends a submission, not the order: if a
    valid one follows, the order continues with the next sequence number.
    """

    order_id: OrderId
    sequence: int
    status: OrderStatus
    reason: str | None = None
    detail: str | None = None
    total_cents: Cents | None = None
    at: Moment

    @property
    def event_id(self) -> str:
        """The id of the CloudEvent with this change."""
        return f"{self.order_id}.{self.sequence}"


class HistoryEntry(Message):
    """One status that an order had. Only one that is explained has a `detail`."""

    sequence: int
    status: OrderStatus
    reason: str | None = None
    detail: Annotated[str | None, Field(exclude_if=lambda detail: detail is None)] = None
    at: Moment


class Order(OrderDetails):
    """An order as the API of orders shows it.

    `detail` explains the status in a sentence. An order that is known only from invalid submissions
    has the customer and the lines that could be read.
    """

    customer_id: str
    lines: tuple[OrderLine, ...]
    status: OrderStatus
    reason: str | None = None
    detail: str | None = None
    total_cents: Cents | None = None
    sequence: int
    created_at: Moment
    updated_at: Moment
    history: tuple[HistoryEntry, ...] = ()
