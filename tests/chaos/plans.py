"""The orders of a run: of all kinds, each with what happens to it and how it may end."""

import random
from dataclasses import dataclass, field
from typing import Any, Final

CAR_CENTS: Final = 15_000_00
SECOND_APPROVAL_CENTS: Final = 10 * CAR_CENTS

End = tuple[str, str | None]
COMPLETED: Final[End] = ("completed", None)
CANCELLED: Final[End] = ("cancelled", "cancelled_on_request")


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A kind of order. `approved` is None if nobody is asked; `share` is out of all shares."""

    share: int
    end: End = COMPLETED
    item: str = "paperclip"
    quantities: tuple[int, ...] = (1, 2, 3)
    customer: str = "alice"
    approved: bool | None = None
    is_valid: bool = True


KINDS: Final = {
    "small": Kind(share=30),
    "computers": Kind(share=8, item="computers"),
    "approved": Kind(share=14, item="cars", quantities=(4, 5), approved=True),
    "denied": Kind(
        share=6, item="cars", quantities=(4, 5), approved=False, end=("rejected", "denied")
    ),
    "approved twice": Kind(share=5, item="cars", quantities=(11,), approved=True),
    "declined": Kind(share=5, customer="test-declined", end=("rejected", "payment_declined")),
    "provider unavailable": Kind(share=6, customer="test-unavailable-2"),
    "provider silent": Kind(share=6, customer="test-silent-2"),
    "unknown item": Kind(share=3, item="boats", end=("rejected", "unknown_item")),
    "out of stock": Kind(
        share=3, item="cars", quantities=(900_000,), end=("rejected", "out_of_stock")
    ),
    "invalid": Kind(share=4, quantities=(0,), end=("rejected", "invalid"), is_valid=False),
}


@dataclass(kw_only=True)
class Plan:
    """An order to place: how, what else is sent with it, and what became known about it.

    `due` is the part of the round after which it is placed, and `cancel_after` the seconds from
    then to a cancellation.
    """

    order_id: str
    kind: str
    quantity: int
    due: float
    over_http: bool
    decided_over_http: bool
    repeats: int
    cancel_after: float | None
    batch_id: str | None = None
    asked_to_cancel: bool = False
    cancel_accepted_in: set[str] = field(default_factory=set)

    @property
    def of(self) -> Kind:
        """The order's kind."""
        return KINDS[self.kind]

    @property
    def data(self) -> dict[str, Any]:
        """The order as it is placed."""
        lines = [{"item": self.of.item, "quantity": self.quantity}]
        return {"order_id": self.order_id, "customer_id": self.of.customer, "lines": lines}

    @property
    def ends(self) -> set[End]:
        """The ends that are right for it.

        A cancellation that is accepted before the order is paid prevents that it completes.
        """
        if self.of.end == COMPLETED and self.cancel_accepted_in - {"paid"}:
            return {CANCELLED}
        return {self.of.end, CANCELLED} if self.asked_to_cancel else {self.of.end}


def plan(seed: int, count: int, orders_in_a_batch: int = 6) -> list[list[Plan]]:
    """Return the orders of a run, in batches or alone; about one in five is part of a batch."""
    draw = random.Random(seed)
    shares = [kind.share for kind in KINDS.values()]
    groups: list[list[Plan]] = []
    planned = 0
    while planned < count:
        is_batch = draw.random() < 1 / (1 + 4 * orders_in_a_batch)
        batch_id = f"chaos-{seed}-batch-{planned}" if is_batch else None
        due, group = draw.random(), []
        for _ in range(min(orders_in_a_batch if is_batch else 1, count - planned)):
            name = draw.choices(list(KINDS), shares)[0]
            repeats = 0 if is_batch or not KINDS[name].is_valid else draw.choice((0, 0, 0, 1, 2))
            group.append(
                Plan(
                    order_id=f"chaos-{seed}-{planned:05}",
                    kind=name,
                    quantity=draw.choice(KINDS[name].quantities),
                    due=due,
                    over_http=KINDS[name].is_valid and draw.random() < 0.5,
                    decided_over_http=draw.random() < 0.5,
                    repeats=repeats,
                    cancel_after=draw.uniform(0, 6) if draw.random() < 0.15 else None,
                    batch_id=batch_id,
                )
            )
            planned += 1
        groups.append(group)
    return groups


def probe(seed: int, number: int) -> Plan:
    """Return an order that shows whether orders move."""
    return Plan(
        order_id=f"chaos-{seed}-probe-{number}",
        kind="small",
        quantity=1,
        due=0,
        over_http=False,
        decided_over_http=False,
        repeats=0,
        cancel_after=None,
    )
