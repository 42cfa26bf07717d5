"""The rules of stock: the effects of reserve, commit, release and restock on a ledger. Pure.

`reserved` never exceeds `on_hand`, and no stock is lost: the stock on hand plus the committed
quantities equals the stock that was added.
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

MAX_RESTOCK_IDS: Final = 16
"""How many restock IDs an item stores, newest last, so that a repeated restock has no effect."""


class Item(BaseModel):
    """An item: the quantity on hand, the part of it that is reserved, and the unit price."""

    model_config = ConfigDict(frozen=True)

    name: str
    on_hand: int
    reserved: int = 0
    unit_price_cents: int
    opening: int
    restocks: tuple[str, ...] = ()

    @property
    def available(self) -> int:
        """The quantity that can still be reserved."""
        return self.on_hand - self.reserved

    def as_stock(self) -> StockItem:
        """Return the item as published by the API."""
        return StockItem(
            item=self.name,
            on_hand=self.on_hand,
            reserved=self.reserved,
            available=self.available,
            unit_price_cents=self.unit_price_cents,
        )

    def change(self, *, on_hand: int = 0, reserved: int = 0) -> "Item":
        """Add to the quantities on hand and reserved."""
        changed = self.model_copy(
            update={"on_hand": self.on_hand + on_hand, "reserved": self.reserved + reserved}
        )
        if not 0 <= changed.reserved <= changed.on_hand:
            raise InvalidLedgerChange(
                f"{self.name}: {changed.reserved} of {changed.on_hand} reserved"
            )
        return changed


class ReservationState(StrEnum):
    """The state of an order's reservation."""

    RESERVED = "reserved"
    COMMITTED = "committed"
    RELEASED = "released"
    REJECTED = "rejected"


class Reservation(BaseModel):
    """The reservation of one order; stored for ever, so that repeated calls have no effect."""

    model_config = ConfigDict(frozen=True)

    state: ReservationState
    lines: tuple[ReservedLine, ...] = ()
    rejection: ReservationRejected | None = None

    def with_state(self, state: ReservationState) -> "Reservation":
        """Return the same reservation in another state."""
        return self.model_copy(update={"state": state})


class InvalidLedgerChange(Exception):
    """A change would violate the rules of stock, and must not be written."""


class NothingReserved(Exception):
    """A commit for an order without a reservation."""


class ConflictingLines(Exception):
    """A second reserve for an order, with different lines."""


class UnknownItem(Exception):
    """A restock of an item that does not exist."""


class Ledger:
    """The part of the stock ledger that one transaction reads and changes."""

    def __init__(self, items: Mapping[str, Item], reservations: Mapping[str, Reservation]) -> None:
        self.items = dict(items)
        self.reservations = dict(reservations)

    def reserve(self, order_id: str, lines: Iterable[OrderLine]) -> Reserved | ReservationRejected:
        """Reserve all lines or none; a repeated request gets the first reply again."""
        requested = tuple(lines)
        earlier = self.reservations.get(order_id)
        if earlier is not None:
            return _repeated_reply(order_id, earlier, requested)
        rejection = self._rejection(requested)
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
            for line in requested
        )
        for line in reserved:
            self.items[line.item] = self.items[line.item].change(reserved=line.quantity)
        self.reservations[order_id] = Reservation(state=ReservationState.RESERVED, lines=reserved)
        return _reserved(reserved)

    def commit(self, order_id: str) -> Committed:
        """Remove the reserved quantities from the stock; repeating it has no effect."""
        reservation = self.reservations.get(order_id)
        if reservation is None:
            raise NothingReserved(f"order {order_id} has no reservation")
        if reservation.state is ReservationState.RESERVED:
            for line in reservation.lines:
                item = self.items[line.item]
                self.items[line.item] = item.change(on_hand=-line.quantity, reserved=-line.quantity)
            self.reservations[order_id] = reservation.with_state(ReservationState.COMMITTED)
        elif reservation.state is not ReservationState.COMMITTED:
            raise NothingReserved(f"the reservation of order {order_id} is {reservation.state}")
        return Committed(
            remaining={line.item: self.items[line.item].on_hand for line in reservation.lines}
        )

    def release(self, order_id: str) -> Released:
        """Release or return the order's stock, even if committed; a later reserve is rejected."""
        reservation = self.reservations.get(order_id, Reservation(state=ReservationState.REJECTED))
        for line in reservation.lines:
            item = self.items[line.item]
            if reservation.state is ReservationState.RESERVED:
                self.items[line.item] = item.change(reserved=-line.quantity)
            elif reservation.state is ReservationState.COMMITTED:
                self.items[line.item] = item.change(on_hand=line.quantity)
        if reservation.state is not ReservationState.RELEASED:
            self.reservations[order_id] = reservation.with_state(ReservationState.RELEASED)
        return Released()

    def add(self, name: str, quantity: int, restock_id: str) -> None:
        """Add stock; a repeated restock ID has no effect."""
        item = self._item(name)
        if restock_id not in item.restocks:
            latest = (*item.restocks, restock_id)[-MAX_RESTOCK_IDS:]
            self.items[name] = item.change(on_hand=quantity).model_copy(update={"restocks": latest})

    def reset(self, name: str) -> None:
        """Reset to the opening stock, but never below the reserved quantity."""
        item = self._item(name)
        self.items[name] = item.change(on_hand=max(item.opening, item.reserved) - item.on_hand)

    def _item(self, name: str) -> Item:
        if name not in self.items:
            raise UnknownItem(f"there is no item {name!r}")
        return self.items[name]

    def _rejection(self, lines: tuple[OrderLine, ...]) -> ReservationRejected | None:
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


def _repeated_reply(
    order_id: str, earlier: Reservation, requested: tuple[OrderLine, ...]
) -> Reserved | ReservationRejected:
    if earlier.rejection is not None:
        return earlier.rejection
    if earlier.state is ReservationState.RELEASED:
        return ReservationRejected(reason="released")
    before = {(line.item, line.quantity) for line in earlier.lines}
    if before != {(line.item, line.quantity) for line in requested}:
        raise ConflictingLines(f"order {order_id} was already reserved with different lines")
    return _reserved(earlier.lines)


def _reserved(lines: tuple[ReservedLine, ...]) -> Reserved:
    total = sum(line.quantity * line.unit_price_cents for line in lines)
    return Reserved(total_cents=total, lines=lines)
