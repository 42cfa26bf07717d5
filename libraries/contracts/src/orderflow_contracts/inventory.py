"""What orders asks of inventory, and what inventory answers."""

from typing import Annotated, Literal

from pydantic import Field, TypeAdapter, model_validator

from orderflow_contracts.fields import Cents, Message, Name, OrderId, Quantity
from orderflow_contracts.orders import Lines


class ReserveRequest(Message):
    """Set these lines aside for the order: all of them or none."""

    order_id: OrderId
    lines: Lines


class ReservedLine(Message):
    """One line that was set aside, with the price of a piece."""

    item: str
    quantity: int
    unit_price_cents: Cents


class Reserved(Message):
    """All lines are set aside; `total_cents` is what they cost together."""

    outcome: Literal["reserved"] = "reserved"
    total_cents: Cents
    lines: tuple[ReservedLine, ...]


class Shortage(Message):
    """An item of which too little is available, or which does not exist (available 0)."""

    item: str
    requested: int
    available: int


class ReservationRejected(Message):
    """Nothing was set aside, and nothing ever will be for this order."""

    outcome: Literal["rejected"] = "rejected"
    reason: Literal["out_of_stock", "unknown_item", "released"]
    shortages: tuple[Shortage, ...] = ()


ReserveReply = Annotated[Reserved | ReservationRejected, Field(discriminator="outcome")]
RESERVE_REPLY: TypeAdapter[Reserved | ReservationRejected] = TypeAdapter(ReserveReply)


class CommitRequest(Message):
    """The order is paid: its reserved goods leave the shelf."""

    order_id: OrderId


class Committed(Message):
    """The goods left the shelf; `remaining` is what lies there now, by item."""

    outcome: Literal["committed"] = "committed"
    remaining: dict[str, int]


class ReleaseRequest(Message):
    """Give back whatever was set aside or taken for the order."""

    order_id: OrderId


class Released(Message):
    """The order holds nothing, and a later reserve for it will be rejected."""

    outcome: Literal["released"] = "released"


class RestockRequest(Message):
    """Put goods on the shelf.

    With `item` and `quantity`: so many pieces more. With `item` alone: that item back to its
    opening stock. With neither: everything back to the opening stock. A restock that comes again
    under the same `restock_id` is known, if that was one of the item's latest.
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
    """One item on the shelf: `available` is `on_hand` less `reserved`, in pieces."""

    item: str
    on_hand: int
    reserved: int
    available: int
    unit_price_cents: Cents


class Stock(Message):
    """All items, by name."""

    items: tuple[StockItem, ...]


class LowStock(Message):
    """Topic `inventory.low-stock`: fewer pieces are available than the threshold."""

    item: Name
    available: int
    threshold: int
