"""A payment service in memory, and a record, between which the process can die."""

from collections.abc import Iterable
from typing import Final, Literal

from orderflow_hosting.database import Database
from orders.payments.store import PaymentStore

Point = Literal[
    "before the provider", "after the provider", "before the record", "after the record"
]

POINTS: Final[tuple[Point, ...]] = (
    "before the provider",
    "after the provider",
    "before the record",
    "after the record",
)


class Died(Exception):
    """The process is gone; nobody heard the answer."""


class Deaths:
    """The points at which the process dies, each once."""

    def __init__(self, points: Iterable[Point] = ()) -> None:
        self.planned = list(points)

    def pass_by(self, point: Point) -> None:
        """Die here if that is planned."""
        if point in self.planned:
            self.planned.remove(point)
            raise Died(point)


class Bank:
    """Implements `PaymentProvider` with books of its own, which outlive the process."""

    def __init__(self, deaths: Deaths | None = None) -> None:
        self.deaths = deaths or Deaths()
        self.asked: list[tuple[str, str]] = []
        self.books: dict[tuple[str, str], int] = {}

    async def charge(self, order_id: str, customer_id: str, amount_cents: int) -> bool:
        """Charge once, and never after a refund."""
        self.deaths.pass_by("before the provider")
        self.asked.append(("charge", order_id))
        accepted = customer_id != "poor" and ("refund", order_id) not in self.books
        if accepted:
            self.books.setdefault(("charge", order_id), amount_cents)
        self.deaths.pass_by("after the provider")
        return accepted

    async def find(self, order_id: str) -> int:
        """Look the charge up."""
        self.asked.append(("find", order_id))
        return self.books.get(("charge", order_id), 0)

    async def refund(self, order_id: str) -> int:
        """Refund once what was charged."""
        self.deaths.pass_by("before the provider")
        self.asked.append(("refund", order_id))
        charged = self.books.get(("charge", order_id), 0)
        refunded = self.books.setdefault(("refund", order_id), charged)
        self.deaths.pass_by("after the provider")
        return refunded

    def moved(self, order_id: str) -> list[tuple[str, int]]:
        """Return how an order's money has moved."""
        return [
            (kind, cents)
            for (kind, each), cents in self.books.items()
            if each == order_id and cents
        ]


class DyingStore(PaymentStore):
    """The record, in which the process can die before and after each commit."""

    def __init__(self, database: Database, deaths: Deaths) -> None:
        super().__init__(database)
        self.deaths = deaths

    async def record_charge(self, order_id: str, amount_cents: int) -> bool:
        """Record a charge, unless the process dies before."""
        self.deaths.pass_by("before the record")
        recorded = await super().record_charge(order_id, amount_cents)
        self.deaths.pass_by("after the record")
        return recorded

    async def record_refund(self, order_id: str, refunded_cents: int) -> None:
        """Record a refund, unless the process dies before."""
        self.deaths.pass_by("before the record")
        await super().record_refund(order_id, refunded_cents)
        self.deaths.pass_by("after the record")
