import pytest

from inventory.domain import (
    RESTOCKS_REMEMBERED,
    BrokenLedger,
    Item,
    Ledger,
    NothingReserved,
    OtherLines,
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


def lines(**quantities: int) -> tuple[OrderLine, ...]:
    return tuple(OrderLine(item=name, quantity=count) for name, count in quantities.items())


def held(ledger: Ledger, name: str = "cars") -> tuple[int, int]:
    return ledger.items[name].on_hand, ledger.items[name].reserved


@pytest.fixture
def ledger() -> Ledger:
    return Ledger({"cars": item("cars", 100, 15_000_00), "clips": item("clips", 3)}, {})


def test_reserve_sets_all_lines_aside_and_tells_their_price(ledger: Ledger) -> None:
    """What is reserved stays on the shelf, is no longer available, and has a total."""
    reply = ledger.reserve("o1", lines(cars=11, clips=3))

    assert reply == Reserved(
        total_cents=11 * 15_000_00 + 3 * 500,
        lines=(
            ReservedLine(item="cars", quantity=11, unit_price_cents=15_000_00),
            ReservedLine(item="clips", quantity=3, unit_price_cents=500),
        ),
    )
    assert held(ledger) == (100, 11)
    assert ledger.items["cars"].available == 89
    assert ledger.items["clips"].available == 0


def test_reserve_of_too_much_sets_nothing_aside(ledger: Ledger) -> None:
    """One short line rejects the whole order and names what there is of it."""
    reply = ledger.reserve("o1", lines(cars=1, clips=4))

    assert reply == ReservationRejected(
        reason="out_of_stock", shortages=(Shortage(item="clips", requested=4, available=3),)
    )
    assert held(ledger) == (100, 0)


def test_reserve_of_an_unknown_item_says_so_before_any_shortage(ledger: Ledger) -> None:
    """An item that does not exist outweighs one of which there is too little."""
    reply = ledger.reserve("o1", lines(clips=4, boats=1))

    assert isinstance(reply, ReservationRejected)
    assert reply.reason == "unknown_item"
    assert [(short.item, short.available) for short in reply.shortages] == [
        ("clips", 3),
        ("boats", 0),
    ]


def test_reserve_of_the_last_piece_succeeds(ledger: Ledger) -> None:
    """All that is available can be reserved, and not one piece more."""
    assert ledger.reserve("o1", lines(cars=100)).outcome == "reserved"
    assert ledger.reserve("o2", lines(cars=1)).outcome == "rejected"


def test_reserve_again_gives_the_first_answer_and_takes_nothing(ledger: Ledger) -> None:
    """A repeated reserve is told what the first was told, in whatever order its lines come."""
    first = ledger.reserve("o1", lines(cars=2, clips=1))

    again = ledger.reserve("o1", lines(clips=1, cars=2))

    assert again == first
    assert held(ledger) == (100, 2)


def test_a_rejection_stands_when_stock_comes_back(ledger: Ledger) -> None:
    """A rejected order stays rejected, for its customer has been told."""
    first = ledger.reserve("o1", lines(clips=4))
    ledger.add("clips", 10, "r1")

    assert ledger.reserve("o1", lines(clips=4)) == first
    assert held(ledger, "clips") == (13, 0)


def test_reserve_again_with_other_lines_is_refused(ledger: Ledger) -> None:
    """One order cannot hold two different reservations."""
    ledger.reserve("o1", lines(cars=2))

    with pytest.raises(OtherLines, match="o1"):
        ledger.reserve("o1", lines(cars=3))
    assert held(ledger) == (100, 2)


def test_commit_lets_the_goods_leave_once(ledger: Ledger) -> None:
    """Committed pieces are gone from the shelf; a repetition takes no more."""
    ledger.reserve("o1", lines(cars=11))

    assert ledger.commit("o1") == Committed(remaining={"cars": 89})
    assert ledger.commit("o1") == Committed(remaining={"cars": 89})
    assert held(ledger) == (89, 0)


def test_reserve_after_commit_takes_nothing_more(ledger: Ledger) -> None:
    """A late duplicate of a reserve is answered as before, without effect."""
    first = ledger.reserve("o1", lines(cars=11))
    ledger.commit("o1")

    assert ledger.reserve("o1", lines(cars=11)) == first
    assert held(ledger) == (89, 0)


@pytest.mark.parametrize("before", ["nothing", "rejected", "released"])
def test_commit_without_a_reservation_is_an_error(ledger: Ledger, before: str) -> None:
    """Goods leave only for an order that holds them."""
    if before == "rejected":
        ledger.reserve("o1", lines(cars=101))
    if before == "released":
        ledger.reserve("o1", lines(cars=1))
        ledger.release("o1")

    with pytest.raises(NothingReserved, match="o1"):
        ledger.commit("o1")
    assert held(ledger) == (100, 0)


def test_release_gives_reserved_goods_back_once(ledger: Ledger) -> None:
    """After a release the pieces are available; a repetition gives back nothing more."""
    ledger.reserve("o1", lines(cars=11))

    assert ledger.release("o1") == Released()
    assert ledger.release("o1") == Released()
    assert held(ledger) == (100, 0)


def test_release_brings_committed_goods_back(ledger: Ledger) -> None:
    """What an order took is put back on the shelf when the order is undone."""
    ledger.reserve("o1", lines(cars=11))
    ledger.commit("o1")

    ledger.release("o1")
    ledger.release("o1")

    assert held(ledger) == (100, 0)


def test_release_before_reserve_bars_the_reserve(ledger: Ledger) -> None:
    """A reserve that comes after its own undoing has no effect."""
    ledger.release("o1")

    reply = ledger.reserve("o1", lines(cars=1))

    assert reply == ReservationRejected(reason="released")
    assert held(ledger) == (100, 0)


def test_release_after_a_rejection_keeps_the_rejection(ledger: Ledger) -> None:
    """A rejected order that is released is still told why it was rejected."""
    rejection = ledger.reserve("o1", lines(cars=101))
    ledger.release("o1")

    assert ledger.reserve("o1", lines(cars=101)) == rejection


def test_add_puts_pieces_on_the_shelf_once_for_each_restock(ledger: Ledger) -> None:
    """A restock counts once, also when it comes again after others."""
    ledger.add("clips", 5, "r1")
    ledger.add("clips", 2, "r2")
    ledger.add("clips", 5, "r1")

    assert held(ledger, "clips") == (10, 0)


def test_restocks_that_are_remembered_do_not_grow_without_end(ledger: Ledger) -> None:
    """An item is read and written with every order, so it stays small."""
    for number in range(RESTOCKS_REMEMBERED + 5):
        ledger.add("clips", 1, f"r{number}")

    assert len(ledger.items["clips"].restocks) == RESTOCKS_REMEMBERED
    assert held(ledger, "clips") == (3 + RESTOCKS_REMEMBERED + 5, 0)


@pytest.mark.parametrize(("reserved", "after"), [(0, 100), (30, 100)])
def test_reset_brings_back_the_opening_stock(ledger: Ledger, reserved: int, after: int) -> None:
    """What was sold is put back, and reservations stay."""
    ledger.reserve("sold", lines(cars=40))
    ledger.commit("sold")
    if reserved:
        ledger.reserve("held", lines(cars=reserved))

    ledger.reset("cars")

    assert held(ledger) == (after, reserved)


def test_reset_never_takes_what_is_set_aside(ledger: Ledger) -> None:
    """Where more is reserved than the opening stock, the shelf keeps that much."""
    ledger.add("cars", 50, "r1")
    ledger.reserve("o1", lines(cars=120))

    ledger.reset("cars")

    assert held(ledger) == (120, 120)


def test_restock_of_an_unknown_item_is_an_error(ledger: Ledger) -> None:
    """An item cannot come into being by a restock, for it has no price."""
    with pytest.raises(UnknownItem, match="boats"):
        ledger.add("boats", 1, "r1")
    with pytest.raises(UnknownItem, match="boats"):
        ledger.reset("boats")


def test_a_change_that_would_break_the_rules_is_an_error() -> None:
    """A ledger that does not add up is never made worse."""
    broken = Ledger(
        {"cars": item("cars", 1)},
        {
            "o1": Reservation(
                state=ReservationState.RESERVED,
                lines=(ReservedLine(item="cars", quantity=2, unit_price_cents=1),),
            )
        },
    )

    with pytest.raises(BrokenLedger, match="cars"):
        broken.commit("o1")
    assert held(broken) == (1, 0)
