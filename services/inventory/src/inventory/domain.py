"""The rules of stock: what reserve, commit, release and restock do to a ledger. Pure.

At no moment is `reserved` over `on_hand`, and no piece is lost: what lies on the shelf plus what
committed orders took is what was put there.
"""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Final

from pydantic import BaseModel, ConfigDict

from orderflow_contracts.inventory import (
    Committed,
    Released,
    ReservationRejected,
    Reserved,
    ReservedLine,
    Shortage,
    StockItem,
)
from orderflow_contracts.orders import OrderLine

RESTOCKS_REMEMBERED: Final = 16
"""How many restocks of an item are known by their ids, newest last, so that each counts once."""


class Item(BaseModel):
    """One item: pieces on the shelf, pieces set aside of these, and the price of a piece."""

    model_config = ConfigDict(frozen=True)

    name: str
    on_hand: int
    reserved: int = 0
    unit_price_cents: int
    opening: int
    restocks: tuple[str, ...] = ()

    @property
    def available(self) -> int:
        """Pieces that an order can still get."""
        return self.on_hand - self.reserved

    def as_stock(self) -> StockItem:
        """Describe the item to others."""
        return StockItem(
            item=self.name,
            on_hand=self.on_hand,
            reserved=self.reserved,
            available=self.available,
            unit_price_cents=self.unit_price_cents,
        )

    def change(self, *, on_hand: int = 0, reserved: int = 0) -> "Item":
        """Add to the pieces on the shelf and to those set aside."""
        changed = self.model_copy(
            update={"on_hand": self.on_hand + on_hand, "reserved": self.reserved + reserved}
        )
        if not 0 <= changed.reserved <= changed.on_hand:
            raise BrokenLedger(f"{self.name}: {changed.reserved} of {changed.on_hand} reserved")
        return changed


class ReservationState(StrEnum):
    """What an order holds: goods set aside, goods taken, or nothing."""

    RESERVED = "reserved"
    COMMITTED = "committed"
    RELEASED = "released"
    REJECTED = "rejected"


class Reservation(BaseModel):
    """What one order asked for and got; kept for ever, so that every call happens once."""

    model_config = ConfigDict(frozen=True)

    state: ReservationState
    lines: tuple[ReservedLine, ...] = ()
    rejection: ReservationRejected | None = None

    def moved_to(self, state: ReservationState) -> "Reservation":
        """Return the same reservation in another state."""
        return self.model_copy(update={"state": state})


class BrokenLedger(Exception):
    """A change would break the rules of stock; nothing may be written."""


class NothingReserved(Exception):
    """A commit for an order that holds no reservation."""


class OtherLines(Exception):
    """A reserve for an order that asked for other lines before."""


class UnknownItem(Exception):
    """A restock of an item that is not kept."""


class Ledger:
    """The part of the stock ledger that one transaction reads and changes."""

    def __init__(self, items: Mapping[str, Item], reservations: Mapping[str, Reservation]) -> None:
        self.items = dict(items)
        self.reservations = dict(reservations)

    def reserve(self, order_id: str, lines: Iterable[OrderLine]) -> Reserved | ReservationRejected:
        """Set all lines aside or none; the first answer to an order stands."""
        asked = tuple(lines)
        earlier = self.reservations.get(order_id)
        if earlier is not None:
            return _answer_again(order_id, earlier, asked)
        rejection = self._why_not(asked)
        if rejection is not None:
            self.reservations[order_id] = Reservation(
                state=ReservationState.REJECTED, rejection=rejection
            )
            return rejection
        reserved = tuple(
            ReservedLine(
                item=line.item,
                quantity=line.quantity,
                unit_price_cents=self.items[line.item].unit_price_cents,
            )
            for line in asked
        )
        for line in reserved:
            self.items[line.item] = self.items[line.item].change(reserved=line.quantity)
        self.reservations[order_id] = Reservation(state=ReservationState.RESERVED, lines=reserved)
        return _reserved(reserved)

    def commit(self, order_id: str) -> Committed:
        """Let the reserved goods leave the shelf; again is the same as once."""
        reservation = self.reservations.get(order_id)
        if reservation is None:
            raise NothingReserved(f"order {order_id} has no reservation")
        if reservation.state is ReservationState.RESERVED:
            for line in reservation.lines:
                item = self.items[line.item]
                self.items[line.item] = item.change(on_hand=-line.quantity, reserved=-line.quantity)
            self.reservations[order_id] = reservation.moved_to(ReservationState.COMMITTED)
        elif reservation.state is not ReservationState.COMMITTED:
            raise NothingReserved(f"the reservation of order {order_id} is {reservation.state}")
        return Committed(
            remaining={line.item: self.items[line.item].on_hand for line in reservation.lines}
        )

    def release(self, order_id: str) -> Released:
        """Give back what the order holds, also goods that it took; a later reserve is rejected."""
        reservation = self.reservations.get(order_id, Reservation(state=ReservationState.REJECTED))
        for line in reservation.lines:
            item = self.items[line.item]
            if reservation.state is ReservationState.RESERVED:
                self.items[line.item] = item.change(reserved=-line.quantity)
            elif reservation.state is ReservationState.COMMITTED:
                self.items[line.item] = item.change(on_hand=line.quantity)
        if reservation.state is not ReservationState.RELEASED:
            self.reservations[order_id] = reservation.moved_to(ReservationState.RELEASED)
        return Released()

    def add(self, name: str, quantity: int, restock_id: str) -> None:
        """Put so many pieces more on the shelf; the same restock twice counts once."""
        item = self._kept(name)
        if restock_id not in item.restocks:
            latest = (*item.restocks, restock_id)[-RESTOCKS_REMEMBERED:]
            self.items[name] = item.change(on_hand=quantity).model_copy(update={"restocks": latest})

    def reset(self, name: str) -> None:
        """Bring the shelf back to the opening stock, though never under what is set aside."""
        item = self._kept(name)
        self.items[name] = item.change(on_hand=max(item.opening, item.reserved) - item.on_hand)

    def _kept(self, name: str) -> Item:
        if name not in self.items:
            raise UnknownItem(f"item {name!r} is not kept")
        return self.items[name]

    def _why_not(self, lines: tuple[OrderLine, ...]) -> ReservationRejected | None:
        shortages = tuple(
            Shortage(item=line.item, requested=line.quantity, available=self._available(line.item))
            for line in lines
            if self._available(line.item) < line.quantity
        )
        if not shortages:
            return None
        unknown = any(shortage.item not in self.items for shortage in shortages)
        return ReservationRejected(
            reason="unknown_item" if unknown else "out_of_stock", shortages=shortages
        )

    def _available(self, name: str) -> int:
        return self.items[name].available if name in self.items else 0


def _answer_again(
    order_id: str, earlier: Reservation, asked: tuple[OrderLine, ...]
) -> Reserved | ReservationRejected:
    if earlier.rejection is not None:
        return earlier.rejection
    if earlier.state is ReservationState.RELEASED:
        return ReservationRejected(reason="released")
    before = {(line.item, line.quantity) for line in earlier.lines}
    if before != {(line.item, line.quantity) for line in asked}:
        raise OtherLines(f"order {order_id} was reserved with other lines")
    return _reserved(earlier.lines)


def _reserved(lines: tuple[ReservedLine, ...]) -> Reserved:
    total = sum(line.quantity * line.unit_price_cents for line in lines)
    return Reserved(total_cents=total, lines=lines)
