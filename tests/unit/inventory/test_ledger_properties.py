"""Property tests: random sequences of all operations on a ledger."""

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

from inventory.domain import ConflictingLines, Item, Ledger, NothingReserved, ReservationState
from orderflow_contracts.orders import OrderLine

OPENING = {"cars": 10, "clips": 3}
Reply = TypeVar("Reply")

order_ids = st.sampled_from([f"o{number}" for number in range(6)])
restock_ids = st.sampled_from([f"r{number}" for number in range(5)])
items = st.sampled_from(sorted(OPENING))
requested = st.dictionaries(
    st.sampled_from([*sorted(OPENING), "boats"]), st.integers(1, 6), min_size=1
).map(lambda wanted: tuple(OrderLine(item=name, quantity=n) for name, n in wanted.items()))


class LedgerMachine(RuleBasedStateMachine):
    """Compares a ledger with a minimal model of it."""

    def __init__(self) -> None:
        super().__init__()
        self.ledger = Ledger(
            {
                name: Item(name=name, on_hand=count, unit_price_cents=7, opening=count)
                for name, count in OPENING.items()
            },
            {},
        )
        self.added = Counter(OPENING)
        self.restocked: set[tuple[str, str]] = set()
        self.requested: dict[str, tuple[OrderLine, ...]] = {}
        self.released: set[str] = set()

    def twice(self, act: Callable[[], Reply]) -> Reply:
        """Act twice, and check that the second time has the same reply and no effect."""
        reply = act()
        before = (dict(self.ledger.items), dict(self.ledger.reservations))
        assert act() == reply
        assert (self.ledger.items, self.ledger.reservations) == before
        return reply

    @rule(order_id=order_ids, lines=requested)
    def reserve(self, order_id: str, lines: tuple[OrderLine, ...]) -> None:
        """Reserve: the reply depends on the available stock and on the earlier reply."""
        earlier = self.ledger.reservations.get(order_id)
        before = dict(self.ledger.items)
        if earlier is None:
            is_available = all(
                line.item in before and before[line.item].available >= line.quantity
                for line in lines
            )
            reply = self.twice(lambda: self.ledger.reserve(order_id, lines))
            assert (reply.outcome == "reserved") == is_available
            self.requested[order_id] = lines
            return
        try:
            reply = self.twice(lambda: self.ledger.reserve(order_id, lines))
        except ConflictingLines:
            assert set(lines) != set(self.requested[order_id])
        else:
            if order_id in self.released:
                assert reply.outcome == "rejected"
        assert self.ledger.items == before

    @rule(order_id=order_ids)
    def commit(self, order_id: str) -> None:
        """Commit: only reserved stock is removed."""
        earlier = self.ledger.reservations.get(order_id)
        committable = {ReservationState.RESERVED, ReservationState.COMMITTED}
        before = dict(self.ledger.items)
        try:
            reply = self.twice(lambda: self.ledger.commit(order_id))
        except NothingReserved:
            assert earlier is None or earlier.state not in committable
            assert self.ledger.items == before
        else:
            assert earlier is not None
            assert earlier.state in committable
            assert set(reply.remaining) == {line.item for line in earlier.lines}

    @rule(order_id=order_ids)
    def release(self, order_id: str) -> None:
        """Release: all stock of the order is returned."""
        self.twice(lambda: self.ledger.release(order_id))
        self.released.add(order_id)

    @rule(name=items, count=st.integers(1, 5), restock_id=restock_ids)
    def add(self, name: str, count: int, restock_id: str) -> None:
        """Restock: each restock ID adds stock once."""
        self.twice(lambda: self.ledger.add(name, count, restock_id))
        if (name, restock_id) not in self.restocked:
            self.added[name] += count
        self.restocked.add((name, restock_id))

    @rule(name=items)
    def reset(self, name: str) -> None:
        """Reset to the opening stock, which adds or removes stock."""
        before = self.ledger.items[name].on_hand
        self.twice(lambda: self.ledger.reset(name))
        after = self.ledger.items[name]
        assert after.on_hand == max(after.opening, after.reserved)
        self.added[name] += after.on_hand - before

    @precondition(lambda self: self.ledger.reservations)
    @rule(data=st.data())
    def late_duplicate(self, data: st.DataObject) -> None:
        """Repeat the first reserve of a known order: the stock does not change."""
        order_id = data.draw(st.sampled_from(sorted(self.ledger.reservations)))
        before = dict(self.ledger.items)
        self.ledger.reserve(
            order_id, self.requested.get(order_id, (OrderLine(item="x", quantity=1),))
        )
        assert self.ledger.items == before

    @invariant()
    def nothing_is_oversold(self) -> None:
        """Check that reserved quantities match the reservations and are on hand."""
        reserved = self.quantities(ReservationState.RESERVED)
        for name, item in self.ledger.items.items():
            assert item.reserved <= item.on_hand
            assert item.available >= 0
            assert item.reserved == reserved[name]

    @invariant()
    def nothing_is_lost(self) -> None:
        """Check that the stock on hand plus the committed quantities equals the added stock."""
        committed = self.quantities(ReservationState.COMMITTED)
        for name, item in self.ledger.items.items():
            assert item.on_hand + committed[name] == self.added[name]

    def quantities(self, state: ReservationState) -> Counter[str]:
        """Return the quantities of all reservations in a state."""
        quantities: Counter[str] = Counter()
        for reservation in self.ledger.reservations.values():
            if reservation.state is state:
                quantities.update({line.item: line.quantity for line in reservation.lines})
        return quantities


def test_no_sequence_violates_the_rules_of_stock() -> None:
    """The ledger stays consistent in any sequence of calls, duplicates and restocks."""
    run_state_machine_as_test(
        LedgerMachine,
        settings=settings(max_examples=50, stateful_step_count=30, deadline=None),
    )
