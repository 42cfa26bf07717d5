"""Random interleavings of everything that can happen to a ledger."""

from collections import Counter
from collections.abc import Callable
from typing import TypeVar

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from inventory.domain import Item, Ledger, NothingReserved, OtherLines, ReservationState
from orderflow_contracts.orders import OrderLine

OPENING = {"cars": 10, "clips": 3}
Reply = TypeVar("Reply")

order_ids = st.sampled_from([f"o{number}" for number in range(6)])
restock_ids = st.sampled_from([f"r{number}" for number in range(5)])
items = st.sampled_from(sorted(OPENING))
asked = st.dictionaries(
    st.sampled_from([*sorted(OPENING), "boats"]), st.integers(1, 6), min_size=1
).map(lambda wanted: tuple(OrderLine(item=name, quantity=n) for name, n in wanted.items()))


class LedgerMachine(RuleBasedStateMachine):
    """Compares a ledger with the little that must be known to judge it."""

    def __init__(self) -> None:
        super().__init__()
        self.ledger = Ledger(
            {
                name: Item(name=name, on_hand=count, unit_price_cents=7, opening=count)
                for name, count in OPENING.items()
            },
            {},
        )
        self.put_there = Counter(OPENING)
        self.restocked: set[tuple[str, str]] = set()
        self.asked: dict[str, tuple[OrderLine, ...]] = {}
        self.released: set[str] = set()

    def twice(self, act: Callable[[], Reply]) -> Reply:
        """Act, act again, and see that the second time changed nothing and said the same."""
        reply = act()
        before = (dict(self.ledger.items), dict(self.ledger.reservations))
        assert act() == reply
        assert (self.ledger.items, self.ledger.reservations) == before
        return reply

    @rule(order_id=order_ids, lines=asked)
    def reserve(self, order_id: str, lines: tuple[OrderLine, ...]) -> None:
        """Reserve: the answer follows from what is available and from what was answered before."""
        earlier = self.ledger.reservations.get(order_id)
        before = dict(self.ledger.items)
        if earlier is None:
            fits = all(
                line.item in before and before[line.item].available >= line.quantity
                for line in lines
            )
            reply = self.twice(lambda: self.ledger.reserve(order_id, lines))
            assert (reply.outcome == "reserved") == fits
            self.asked[order_id] = lines
            return
        try:
            reply = self.twice(lambda: self.ledger.reserve(order_id, lines))
        except OtherLines:
            assert set(lines) != set(self.asked[order_id])
        else:
            if order_id in self.released:
                assert reply.outcome == "rejected"
        assert self.ledger.items == before

    @rule(order_id=order_ids)
    def commit(self, order_id: str) -> None:
        """Commit: only what is held leaves the shelf."""
        earlier = self.ledger.reservations.get(order_id)
        holds = {ReservationState.RESERVED, ReservationState.COMMITTED}
        before = dict(self.ledger.items)
        try:
            reply = self.twice(lambda: self.ledger.commit(order_id))
        except NothingReserved:
            assert earlier is None or earlier.state not in holds
            assert self.ledger.items == before
        else:
            assert earlier is not None
            assert earlier.state in holds
            assert set(reply.remaining) == {line.item for line in earlier.lines}

    @rule(order_id=order_ids)
    def release(self, order_id: str) -> None:
        """Release: whatever was held is given back."""
        self.twice(lambda: self.ledger.release(order_id))
        self.released.add(order_id)

    @rule(name=items, count=st.integers(1, 5), restock_id=restock_ids)
    def add(self, name: str, count: int, restock_id: str) -> None:
        """Restock by some pieces, which counts once for each restock."""
        self.twice(lambda: self.ledger.add(name, count, restock_id))
        if (name, restock_id) not in self.restocked:
            self.put_there[name] += count
        self.restocked.add((name, restock_id))

    @rule(name=items)
    def reset(self, name: str) -> None:
        """Bring back to the opening stock, which puts some there or takes some away."""
        before = self.ledger.items[name].on_hand
        self.twice(lambda: self.ledger.reset(name))
        after = self.ledger.items[name]
        assert after.on_hand == max(after.opening, after.reserved)
        self.put_there[name] += after.on_hand - before

    @precondition(lambda self: self.ledger.reservations)
    @rule(data=st.data())
    def late_duplicate(self, data: st.DataObject) -> None:
        """Send the first reserve of a known order once more: stock does not move."""
        order_id = data.draw(st.sampled_from(sorted(self.ledger.reservations)))
        before = dict(self.ledger.items)
        self.ledger.reserve(order_id, self.asked.get(order_id, (OrderLine(item="x", quantity=1),)))
        assert self.ledger.items == before

    @invariant()
    def nothing_is_oversold(self) -> None:
        """No piece is set aside that is not there, and just what orders reserved is set aside."""
        reserved = self.pieces(ReservationState.RESERVED)
        for name, item in self.ledger.items.items():
            assert item.reserved <= item.on_hand
            assert item.available >= 0
            assert item.reserved == reserved[name]

    @invariant()
    def nothing_is_lost(self) -> None:
        """Count what lies on the shelf and what orders took: it is what was put there."""
        taken = self.pieces(ReservationState.COMMITTED)
        for name, item in self.ledger.items.items():
            assert item.on_hand + taken[name] == self.put_there[name]

    def pieces(self, state: ReservationState) -> Counter[str]:
        """Count the pieces of all reservations in this state."""
        pieces: Counter[str] = Counter()
        for reservation in self.ledger.reservations.values():
            if reservation.state is state:
                pieces.update({line.item: line.quantity for line in reservation.lines})
        return pieces


def test_no_interleaving_breaks_the_rules_of_stock() -> None:
    """However calls, duplicates and restocks follow each other, the ledger adds up."""
    run_state_machine_as_test(
        LedgerMachine,
        settings=settings(max_examples=50, stateful_step_count=30, deadline=None),
    )
