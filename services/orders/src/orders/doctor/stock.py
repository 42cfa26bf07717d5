"""Reservations in inventory, compared with the orders that they are for."""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Final

from orderflow_contracts.doctor import (
    RESERVED_AFTER_END,
    RESERVED_WITHOUT_ORDER,
    STOCK_DIFFERS,
)
from orderflow_contracts.inventory import OrderReservation, ReservationsWanted
from orderflow_contracts.orders import OrderStatus
from orderflow_hosting.doctor import Disagreement, Look
from orders.doctor.ports import Reserving
from orders.doctor.store import DoctorStore, Known

PAGE: Final = 200
"""With all their lines, this many reservations fit into a message of 4 MiB."""
SETTLED: Final = timedelta(seconds=10)
"""So long after its end, an order has released what it had reserved."""


class Reservations:
    """Each open reservation is of an order that has not ended."""

    name = "the reservations"
    pages_in_a_round = 3

    def __init__(self, store: DoctorStore, inventory: Reserving) -> None:
        self._store = store
        self._inventory = inventory

    async def page(self, after: str | None) -> Look:
        """Compare the next open reservations by order id."""
        reply = await self._inventory.reservations(ReservationsWanted(after=after, limit=PAGE))
        return Look(await self._compare(reply.reservations), reply.next)

    async def of(self, subject: str) -> Sequence[Disagreement]:
        """Compare the reservation of one order."""
        reply = await self._inventory.reservations(ReservationsWanted(order_ids=(subject,)))
        return await self._compare(each for each in reply.reservations if each.state == "reserved")

    async def _compare(self, reservations: Iterable[OrderReservation]) -> list[Disagreement]:
        of_orders = {each.order_id: each for each in reservations}
        known = await self._store.known(of_orders)
        found = (
            self._examine(reservation, known.get(order_id))
            for order_id, reservation in of_orders.items()
        )
        return [each for each in found if each is not None]

    def _examine(self, reservation: OrderReservation, known: Known | None) -> Disagreement | None:
        order_id = reservation.order_id
        quantities = ", ".join(f"{line.quantity} {line.item}" for line in reservation.lines)

        async def release() -> None:
            await self._inventory.release(order_id)

        if known is None:
            what = f"{quantities} reserved, but there is no such order"
            return Disagreement(
                RESERVED_WITHOUT_ORDER, f"order {order_id}", what, quantities, release
            )
        if not known.is_settled or self._store.clock() - known.updated_at < SETTLED:
            return None
        is_safe = known.status is not OrderStatus.COMPLETED
        return Disagreement(
            RESERVED_AFTER_END,
            f"order {order_id}",
            f"{quantities} reserved, but it has ended as {known.status}",
            known.evidence,
            release if is_safe else None,
        )


class StockSums:
    """The reserved quantity of each item is the sum of its open reservations.

    Reservations that inventory made before it listed them are found by the orders that have not
    ended. That costs too much for the reconciler's rounds.
    """

    name = "the stock"
    pages_in_a_round = 0

    def __init__(self, store: DoctorStore, inventory: Reserving) -> None:
        self._store = store
        self._inventory = inventory

    async def page(self, after: str | None) -> Look:  # noqa: ARG002 # there is only one page
        """Add up all open reservations, and compare items that did not change meanwhile."""
        before = await self._reserved()
        sums = await self._sum_of_unfinished() + await self._sum_of_others()
        after_that = await self._reserved()
        return Look(
            [
                Disagreement(
                    STOCK_DIFFERS,
                    f"item {item}",
                    f"{reserved} reserved, but the open reservations have {sums[item]}",
                    f"{reserved} {sums[item]}",
                )
                for item, reserved in before.items()
                if reserved == after_that.get(item) and reserved != sums[item]
            ]
        )

    async def of(self, subject: str) -> Sequence[Disagreement]:  # noqa: ARG002
        """Find nothing: sums are not about one order."""
        return []

    async def _reserved(self) -> dict[str, int]:
        return {each.item: each.reserved for each in (await self._inventory.stock()).items}

    async def _sum_of_unfinished(self) -> Counter[str]:
        sums: Counter[str] = Counter()
        number = 0
        while orders := await self._store.unfinished(number, PAGE):
            number = orders[-1].known.number
            wanted = ReservationsWanted(order_ids=tuple(each.known.order_id for each in orders))
            reply = await self._inventory.reservations(wanted)
            for each in reply.reservations:
                if each.state == "reserved":
                    sums += _quantities(each)
        return sums

    async def _sum_of_others(self) -> Counter[str]:
        sums: Counter[str] = Counter()
        after = None
        while True:
            reply = await self._inventory.reservations(ReservationsWanted(after=after, limit=PAGE))
            known = await self._store.known([each.order_id for each in reply.reservations])
            for each in reply.reservations:
                order = known.get(each.order_id)
                if order is None or not order.is_unfinished:
                    sums += _quantities(each)
            after = reply.next
            if after is None:
                return sums


def _quantities(reservation: OrderReservation) -> Counter[str]:
    return Counter({line.item: line.quantity for line in reservation.lines})
