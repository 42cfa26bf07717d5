"""The requests of orders to inventory, and the replies."""

from typing import Annotated, Final, Literal

from pydantic import Field, TypeAdapter, model_validator

from orderflow_contracts.fields import Cents, Message, Name, OrderId, Quantity
from orderflow_contracts.orders import Lines

MOST_RESERVATIONS: Final = 500
"""How many reservations one reply has."""


class ReserveRequest(Message):
    """Reserve these lines for the order: all of them or none."""

    order_id: OrderId
    lines: Lines


class ReservedLine(Message):
    """One reserved line, with the price of one unit."""

    item: str
    quantity: int
    unit_price_cents: Cents


class Reserved(Message):
    """All lines are reserved; `total_cents` is their total price."""

    outcome: Literal["reserved"] = "reserved"
    total_cents: Cents
    lines: tuple[ReservedLine, ...]


class Shortage(Message):
    """An item that is short, or that does not exist (then `available` is 0)."""

    item: str
    requested: int
    available: int


class ReservationRejected(Message):
    """Nothing was reserved, and any later request for this order is rejected too."""

    outcome: Literal["rejected"] = "rejected"
    reason: Literal["out_of_stock", "unknown_item", "released"]
    shortages: tuple[Shortage, ...] = ()


ReserveReply = Annotated[Reserved | ReservationRejected, Field(discriminator="outcome")]
RESERVE_REPLY: TypeAdapter[Reserved | ReservationRejected] = TypeAdapter(ReserveReply)


class CommitRequest(Message):
    """Ship the reserved stock: the order is paid."""

    order_id: OrderId


class Committed(Message):
    """The stock was shipped; `remaining` is the quantity now on hand, by item."""

    outcome: Literal["committed"] = "committed"
    remaining: dict[str, int]


class ReleaseRequest(Message):
    """Return all stock that was reserved or shipped for the order."""

    order_id: OrderId


class Released(Message):
    """The order has no stock reserved, and a later reserve for it will be rejected."""

    outcome: Literal["released"] = "released"


class RestockRequest(Message):
    """Add stock.

    With `item` and `quantity`: that quantity is added. With `item` alone: that item is reset to its
    opening stock. With neither: every item is. A repeated `restock_id` adds nothing if it is among
    the item's latest.
    """

    item: Name | None = None
    quantity: Quantity | None = None
    restock_id: OrderId | None = None

    @model_validator(mode="after")
    def _quantity_needs_an_item(self) -> "RestockRequest":
        if self.quantity is not None and self.item is None:
            raise ValueError("quantity needs an item")
        return self


class StockItem(Message):
    """The stock of one item, in units: `available` is `on_hand` less `reserved`."""

    item: str
    on_hand: int
    reserved: int
    available: int
    unit_price_cents: Cents


class Stock(Message):
    """All items, by name."""

    items: tuple[StockItem, ...]


class LowStock(Message):
    """Topic `inventory.low-stock`: fewer units are available than the threshold."""

    item: Name
    available: int
    threshold: int


class ReservationsWanted(Message):
    """Read the reservations of these orders; without `order_ids`, all that are open, in pages.

    Open ones come by order ID, beginning after `after`. Those that inventory made before it kept a
    list of them are found by `order_ids` only.
    """

    order_ids: tuple[OrderId, ...] | None = Field(None, max_length=MOST_RESERVATIONS)
    after: OrderId | None = None
    limit: int = Field(MOST_RESERVATIONS, ge=1, le=MOST_RESERVATIONS)


class OrderReservation(Message):
    """The stock reserved for one order: open (`reserved`), shipped, or returned."""

    order_id: OrderId
    state: Literal["reserved", "committed", "released"]
    lines: tuple[ReservedLine, ...]


class Reservations(Message):
    """Reservations; orders for which nothing was ever reserved are left out.

    `next` is the order after which the next page begins, if there is one.
    """

    reservations: tuple[OrderReservation, ...]
    next: OrderId | None = None
