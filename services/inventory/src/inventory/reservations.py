"""Reads reservations: those of certain orders, or all that are open, in pages."""

from bisect import bisect_right
from collections.abc import Sequence
from typing import Final

from inventory.domain import Reservation, ReservationState
from inventory.ports import Store
from inventory.store import BUCKET_KEYS, Bucket, order_key
from orderflow_contracts.inventory import OrderReservation, Reservations, ReservationsWanted

AT_ONCE: Final = 100
"""How many keys are read in one call."""


async def read_reservations(store: Store, wanted: ReservationsWanted) -> Reservations:
    """Read the reservations that are wanted. Raises `StoreUnavailable`."""
    if wanted.order_ids is not None:
        known = await _read(store, wanted.order_ids)
        return Reservations(reservations=tuple(known))
    listed = await _listed(store)
    first = 0 if wanted.after is None else bisect_right(listed, wanted.after)
    page = listed[first : first + wanted.limit]
    # A replica of an earlier version does not remove from its bucket what it commits or releases.
    is_open = (each for each in await _read(store, page) if each.state == "reserved")
    has_more = first + len(page) < len(listed)
    return Reservations(reservations=tuple(is_open), next=page[-1] if has_more else None)


async def _listed(store: Store) -> list[str]:
    """Return the orders with an open reservation, sorted."""
    entries = await store.read(BUCKET_KEYS)
    await store.confirm_absent(key for key, entry in entries.items() if entry.version is None)
    return sorted(order for entry in entries.values() for order in Bucket.read(entry).orders)


async def _read(store: Store, orders: Sequence[str]) -> list[OrderReservation]:
    found = []
    for start in range(0, len(orders), AT_ONCE):
        some = orders[start : start + AT_ONCE]
        entries = await store.read(map(order_key, some))
        for order in some:
            value = entries[order_key(order)].value
            if value is None:
                await store.confirm_absent([order_key(order)])
                continue
            reservation = Reservation.model_validate_json(value)
            if reservation.state is not ReservationState.REJECTED:
                found.append(
                    OrderReservation(
                        order_id=order,
                        state=reservation.state.value,
                        lines=reservation.lines,
                    )
                )
    return found
