"""The results of the store of orders, and the ids of runs."""

import uuid
from dataclasses import dataclass
from enum import Enum, StrEnum, auto
from typing import Final, Self

from orderflow_contracts.invalid_orders import UNKNOWN, readable_customer, readable_lines
from orderflow_contracts.orders import (
    REFUSALS,
    OrderLine,
    OrderStatus,
    OrderStatusChanged,
    OrderSubmitted,
    Reason,
)

UNDO_RUN_PREFIX: Final = "undo"
"""The prefix of the id of a run that undoes an order; other ids are hexadecimal digits."""


UNFINISHED: Final = tuple(status.value for status in OrderStatus if not status.is_final)


REFUSED: Final = tuple(sorted(reason.value for reason in REFUSALS))


WAITING: Final = frozenset({OrderStatus.AWAITING_APPROVAL, OrderStatus.PAID})
"""The statuses in which an order may wait for a person: an approver or a picker."""


BEFORE_CHARGE: Final = frozenset(
    {
        OrderStatus.RECEIVED,
        OrderStatus.RESERVED,
        OrderStatus.AWAITING_APPROVAL,
        OrderStatus.APPROVED,
    }
)
"""The statuses in which nothing is charged, unless a charge was sent and not answered."""


class Compensation(StrEnum):
    """What is left to do for an order that ended as cancelled before it was compensated."""

    OUTSTANDING = "outstanding"
    FAILED = "failed"


class Standing(Enum):
    """Whether a run may act for its order."""

    MAY_ACT = auto()
    CANCELLED = auto()
    """The order was cancelled: the run may only compensate."""
    IN_DOUBT = auto()
    """Cancellation was requested after a charge was sent whose outcome is not known."""
    SUPERSEDED = auto()
    """The order has ended, another run acts for it, or there is no such order."""


class OtherContent(Exception):
    """The id belongs to an order with different content. The two are never merged."""

    def __init__(self, order_id: str) -> None:
        super().__init__(f"order {order_id} exists with other content")
        self.order_id = order_id


class IdTaken(Exception):
    """The id belongs to a workflow instance that is not an order's."""

    def __init__(self, order_id: str) -> None:
        super().__init__(f"the ID {order_id} belongs to a workflow instance that is not an order")
        self.order_id = order_id


class IdOfOrder(Exception):
    """The id belongs to an order, so no other workflow may have it."""

    def __init__(self, order_id: str) -> None:
        super().__init__(f"{order_id} is the id of an order")


@dataclass(frozen=True)
class StoredChange:
    """A stored status change, and its position among all status changes."""

    position: int
    change: OrderStatusChanged


@dataclass(frozen=True)
class Accepted:
    """The result of storing an order: the order with its id, its first and its current status.

    The first status is `received`. Its sequence number is 2 if refused submissions came before. An
    order that an earlier version accepted may have no `run_id`.
    """

    is_new: bool
    order: OrderSubmitted
    first: StoredChange
    status: OrderStatus
    run_id: str | None


@dataclass(frozen=True)
class Invalid:
    """A refused submission: what is wrong with it, what could be read, and why it is refused."""

    detail: str | None = None
    customer_id: str = UNKNOWN
    lines: tuple[OrderLine, ...] = ()
    reason: Reason = Reason.INVALID

    @classmethod
    def of(cls, content: object, detail: str | None) -> Self:
        """Read what can be read of the content."""
        return cls(detail, readable_customer(content), readable_lines(content))

    @classmethod
    def taken(cls, order: OrderSubmitted) -> Self:
        """Describe a valid order whose id belongs to another workflow."""
        detail = "The ID belongs to another workflow. Submit the order with an ID of its own."
        return cls(detail, order.customer_id, order.lines, Reason.ID_TAKEN)


NOTHING_READ: Final = Invalid()


@dataclass(frozen=True)
class Rejected:
    """The id of a rejected order, and the rejection, or None if a valid order has the id."""

    order_id: str
    stored: StoredChange | None


@dataclass(frozen=True)
class Record:
    """A recorded status, and whether cancellation was requested.

    Nothing is recorded for an order that was cancelled before.
    """

    stored: StoredChange | None
    cancelled: bool


@dataclass(frozen=True)
class Cancellation:
    """The status in which an order is to be cancelled, and whether that comes before its charge."""

    status: OrderStatus
    is_before_charge: bool = False


@dataclass(frozen=True)
class Pending:
    """An order whose run has not ended; it was cancelled, or has not ended either."""

    order: OrderSubmitted
    status: OrderStatus
    run_id: str | None = None


def new_run_id() -> str:
    """Return an id for a new run of the order workflow."""
    return uuid.uuid4().hex


def undoes(run_id: str | None) -> bool:
    """Whether a run undoes its order."""
    return run_id is not None and run_id.startswith(UNDO_RUN_PREFIX)
