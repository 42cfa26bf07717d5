import pytest

from inventory.domain import (
    MAX_RESTOCK_IDS,
    ConflictingLines,
    InvalidLedgerChange,
    Item,
    Ledger,
    NothingReserved,
    Reservation,
    ReservationState,
    UnknownItem,
)
from orderflow_contracts.inventory import (
    Committed,
    Released,
    ReservationRejected,
    Reserved,
    ReservedLine,
    Shortage,
)
from orderflow_contracts.orders import OrderLine


def item(name: str, on_hand: int, price: int = 500) -> Item:
    return Item(name=name, on_hand=on_hand, unit_price_cents=price, opening=on_hand)


def lines(**counts: int) -> tuple[OrderLine, ...]:
    return tuple(OrderLine(item=name, quantity=count) for name, count in counts.items())


def quantities(ledger: Ledger, name: str = "cars") -> tuple[int, int]:
    return ledger.items[name].on_hand, ledger.items[name].reserved


@pytest.fixture
def ledger() -> Ledger:
    return Ledger({"cars": item("cars", 100, 15_000_00), "clips": item("clips", 3)}, {})


def test_reserve_reserves_all_lines_and_returns_prices(ledger: Ledger) -> None:
    """Reserved stock stays on hand, is no longer available, and the reply has the total."""
    reply = ledger.reserve("o1", lines(cars=11, clips=3))

    assert reply == Reserved(
        total_cents=11 * 15_000_00 + 3 * 500,
        lines=(
            ReservedLine(item="cars", quantity=11, unit_price_cents=15_000_00),
            ReservedLine(item="clips", quantity=3, unit_price_cents=500),
        ),
    )
    assert quantities(ledger) == (100, 11)
    assert ledger.items["cars"].available == 89
    assert ledger.items["clips"].available == 0


def test_reserving_too_much_reserves_nothing(ledger: Ledger) -> None:
    """One line with a shortage rejects the order and reports the available quantity."""
    reply = ledger.reserve("o1", lines(cars=1, clips=4))

    assert reply == ReservationRejected(
        reason="out_of_stock", shortages=(Shortage(item="clips", requested=4, available=3),)
    )
    assert quantities(ledger) == (100, 0)


def test_an_unknown_item_takes_precedence_over_a_shortage(ledger: Ledger) -> None:
    """If one item is unknown and another is short, the reason is the unknown item."""
    reply = ledger.reserve("o1", lines(clips=4, boats=1))

    assert isinstance(reply, ReservationRejected)
    assert reply.reason == "unknown_item"
    assert [(short.item, short.available) for short in reply.shortages] == [
        ("clips", 3),
        ("boats", 0),
    ]


def test_the_last_unit_can_be_reserved(ledger: Ledger) -> None:
    """Everything available can be reserved, and no more."""
    assert ledger.reserve("o1", lines(cars=100)).outcome == "reserved"
    assert ledger.reserve("o2", lines(cars=1)).outcome == "rejected"


def test_repeating_a_reserve_returns_the_first_answer(ledger: Ledger) -> None:
    """A repeated reserve has no effect, whatever the sequence of its lines."""
    first = ledger.reserve("o1", lines(cars=2, clips=1))

    again = ledger.reserve("o1", lines(clips=1, cars=2))

    assert again == first
    assert quantities(ledger) == (100, 2)


def test_a_rejection_stands_after_a_restock(ledger: Ledger) -> None:
    """A rejected order stays rejected, because the rejection has been published."""
    first = ledger.reserve("o1", lines(clips=4))
    ledger.add("clips", 10, "r1")

    assert ledger.reserve("o1", lines(clips=4)) == first
    assert quantities(ledger, "clips") == (13, 0)


def test_reserving_again_with_different_lines_is_rejected(ledger: Ledger) -> None:
    """One order cannot have two different reservations."""
    ledger.reserve("o1", lines(cars=2))

    with pytest.raises(ConflictingLines, match="o1"):
        ledger.reserve("o1", lines(cars=3))
    assert quantities(ledger) == (100, 2)


def test_commit_removes_the_stock_once(ledger: Ledger) -> None:
    """Committed stock is removed, and a repetition removes nothing more."""
    ledger.reserve("o1", lines(cars=11))

    assert ledger.commit("o1") == Committed(remaining={"cars": 89})
    assert ledger.commit("o1") == Committed(remaining={"cars": 89})
    assert quantities(ledger) == (89, 0)


def test_a_duplicate_reserve_after_commit_has_no_effect(ledger: Ledger) -> None:
    """A late duplicate of a reserve returns the first answer."""
    first = ledger.reserve("o1", lines(cars=11))
    ledger.commit("o1")

    assert ledger.reserve("o1", lines(cars=11)) == first
    assert quantities(ledger) == (89, 0)


@pytest.mark.parametrize("before", ["nothing", "rejected", "released"])
def test_commit_without_a_reservation_is_an_error(ledger: Ledger, before: str) -> None:
    """Only an order with a reservation can be committed."""
    if before == "rejected":
        ledger.reserve("o1", lines(cars=101))
    if before == "released":
        ledger.reserve("o1", lines(cars=1))
        ledger.release("o1")

    with pytest.raises(NothingReserved, match="o1"):
        ledger.commit("o1")
    assert quantities(ledger) == (100, 0)


def test_release_returns_reserved_stock_once(ledger: Ledger) -> None:
    """Released stock is available again, and a repetition releases nothing more."""
    ledger.reserve("o1", lines(cars=11))

    assert ledger.release("o1") == Released()
    assert ledger.release("o1") == Released()
    assert quantities(ledger) == (100, 0)


def test_release_returns_committed_stock(ledger: Ledger) -> None:
    """Committed stock is returned when the order is rolled back."""
    ledger.reserve("o1", lines(cars=11))
    ledger.commit("o1")

    ledger.release("o1")
    ledger.release("o1")

    assert quantities(ledger) == (100, 0)


def test_release_before_reserve_rejects_the_reserve(ledger: Ledger) -> None:
    """A reserve that arrives after its release has no effect."""
    ledger.release("o1")

    reply = ledger.reserve("o1", lines(cars=1))

    assert reply == ReservationRejected(reason="released")
    assert quantities(ledger) == (100, 0)


def test_release_after_a_rejection_keeps_the_rejection(ledger: Ledger) -> None:
    """A reserve after a rejection and a release still returns the rejection."""
    rejection = ledger.reserve("o1", lines(cars=101))
    ledger.release("o1")

    assert ledger.reserve("o1", lines(cars=101)) == rejection


def test_each_restock_adds_stock_once(ledger: Ledger) -> None:
    """A repeated restock has no effect, even after other restocks."""
    ledger.add("clips", 5, "r1")
    ledger.add("clips", 2, "r2")
    ledger.add("clips", 5, "r1")

    assert quantities(ledger, "clips") == (10, 0)


def test_the_number_of_restock_ids_is_limited(ledger: Ledger) -> None:
    """An item is read and written with every order, so it must stay small."""
    for number in range(MAX_RESTOCK_IDS + 5):
        ledger.add("clips", 1, f"r{number}")

    assert len(ledger.items["clips"].restocks) == MAX_RESTOCK_IDS
    assert quantities(ledger, "clips") == (3 + MAX_RESTOCK_IDS + 5, 0)


@pytest.mark.parametrize(("reserved", "after"), [(0, 100), (30, 100)])
def test_reset_brings_back_the_opening_stock(ledger: Ledger, reserved: int, after: int) -> None:
    """Sold stock is replaced, and reservations remain."""
    ledger.reserve("sold", lines(cars=40))
    ledger.commit("sold")
    if reserved:
        ledger.reserve("reserved", lines(cars=reserved))

    ledger.reset("cars")

    assert quantities(ledger) == (after, reserved)


def test_reset_keeps_reserved_stock(ledger: Ledger) -> None:
    """If more is reserved than the opening stock, the reserved quantity stays on hand."""
    ledger.add("cars", 50, "r1")
    ledger.reserve("o1", lines(cars=120))

    ledger.reset("cars")

    assert quantities(ledger) == (120, 120)


def test_restock_of_an_unknown_item_is_an_error(ledger: Ledger) -> None:
    """A restock cannot create an item, because it has no price."""
    with pytest.raises(UnknownItem, match="boats"):
        ledger.add("boats", 1, "r1")
    with pytest.raises(UnknownItem, match="boats"):
        ledger.reset("boats")


def test_a_change_that_violates_the_rules_is_an_error() -> None:
    """An inconsistent ledger is not changed any further."""
    broken = Ledger(
        {"cars": item("cars", 1)},
        {
            "o1": Reservation(
                state=ReservationState.RESERVED,
                lines=(ReservedLine(item="cars", quantity=2, unit_price_cents=1),),
            )
        },
    )

    with pytest.raises(InvalidLedgerChange, match="cars"):
        broken.commit("o1")
    assert quantities(broken) == (1, 0)
