"""Stock on a store that other replicas use too, that fails, and that loses answers."""

import asyncio
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fakes.memory_store import MemoryStore, Trouble
from inventory.config import OPENING_STOCK, OpeningItem
from inventory.domain import (
    RESTOCKS_REMEMBERED,
    Item,
    NothingReserved,
    ReservationState,
    UnknownItem,
)
from inventory.keeper import ATTEMPTS, MOST_KEYS_AT_ONCE, Command, Keeper
from inventory.stock import StockRoom
from inventory.store import CATALOGUE_KEY, Scope, StoreUnavailable, item_key, order_key
from orderflow_contracts.inventory import (
    CommitRequest,
    ReleaseRequest,
    ReserveRequest,
    RestockRequest,
    Stock,
)
from orderflow_contracts.orders import OrderLine


def reserve(order_id: str, **quantities: int) -> ReserveRequest:
    lines = tuple(OrderLine(item=name, quantity=count) for name, count in quantities.items())
    return ReserveRequest(order_id=order_id, lines=lines)


def on_shelf(stock: Stock) -> dict[str, tuple[int, int, int]]:
    return {entry.item: (entry.on_hand, entry.reserved, entry.available) for entry in stock.items}


@pytest.fixture
def store() -> MemoryStore:
    store = MemoryStore()
    store.after_write = store.audit
    return store


@pytest.fixture
async def room(store: MemoryStore) -> StockRoom:
    room = StockRoom(store)
    await room.open(OPENING_STOCK)
    store.transactions.clear()
    store.reads.clear()
    return room


async def test_open_lays_out_the_opening_stock(room: StockRoom) -> None:
    """A fresh store gets every item with its quantity and price."""
    stock = await room.stock()

    assert [(entry.item, entry.on_hand, entry.unit_price_cents) for entry in stock.items] == [
        ("paperclip", 100, 5_00),
        ("cars", 100, 15_000_00),
        ("computers", 100, 500_00),
    ]


async def test_open_again_changes_nothing(store: MemoryStore, room: StockRoom) -> None:
    """A restart neither restocks nor writes."""
    await room.reserve(reserve("o1", cars=11))
    await room.commit(CommitRequest(order_id="o1"))
    before = dict(store.values)

    await StockRoom(store).open(OPENING_STOCK)

    assert store.values == before


async def test_open_adds_an_item_that_is_new(store: MemoryStore, room: StockRoom) -> None:
    """An item that comes into the settings later is laid out beside those that are kept."""
    boats = OpeningItem(item="boats", quantity=2, unit_price_cents=1)

    await room.open([*OPENING_STOCK, boats])

    assert on_shelf(await room.stock())["boats"] == (2, 0, 2)
    assert store.transactions == [frozenset({CATALOGUE_KEY, item_key("boats")})]


async def test_open_may_be_repeated_when_its_answer_was_lost(store: MemoryStore) -> None:
    """An opening whose answer got lost is found done the next time."""
    store.trouble_writing.append(Trouble.LOST_ANSWER)
    room = StockRoom(store)

    with pytest.raises(Exception, match="lost"):
        await room.open(OPENING_STOCK)
    await room.open(OPENING_STOCK)

    assert len(store.transactions) == 1


async def test_an_order_is_carried_from_reserve_to_commit(room: StockRoom) -> None:
    """Reserved goods are unavailable, committed goods are gone."""
    reply = await room.reserve(reserve("o1", cars=11))
    assert reply.outcome == "reserved"
    assert on_shelf(await room.stock())["cars"] == (100, 11, 89)

    committed = await room.commit(CommitRequest(order_id="o1"))

    assert committed.remaining == {"cars": 89}
    assert on_shelf(await room.stock())["cars"] == (89, 0, 89)


async def test_commit_and_release_work_in_another_process(
    store: MemoryStore, room: StockRoom
) -> None:
    """What an order holds is read from the store where this process does not remember it."""
    await room.reserve(reserve("o1", cars=11))
    await room.reserve(reserve("o2", cars=1))
    other = StockRoom(store)

    await other.commit(CommitRequest(order_id="o1"))
    await other.release(ReleaseRequest(order_id="o2"))

    assert on_shelf(await room.stock())["cars"] == (89, 0, 89)


async def test_a_commit_in_the_same_process_reads_once(store: MemoryStore, room: StockRoom) -> None:
    """What was reserved here needs no second reading to be committed."""
    await room.reserve(reserve("o1", cars=11))
    store.reads.clear()

    await room.commit(CommitRequest(order_id="o1"))

    assert len(store.reads) == 1


async def test_requests_that_come_together_are_written_together(
    store: MemoryStore, room: StockRoom
) -> None:
    """Orders for one item that arrive at once cost one transaction, not one each."""
    await asyncio.gather(*(room.reserve(reserve(f"o{n}", cars=1)) for n in range(20)))

    assert len(store.transactions) == 1
    assert store.transactions[0] == {item_key("cars"), *(order_key(f"o{n}") for n in range(20))}


async def test_a_transaction_stays_within_its_bound(store: MemoryStore, room: StockRoom) -> None:
    """However many come at once, no transaction touches more keys than allowed."""
    await asyncio.gather(
        *(room.reserve(reserve(f"o{n}", paperclip=1)) for n in range(MOST_KEYS_AT_ONCE + 50))
    )

    assert len(store.reservations()) == MOST_KEYS_AT_ONCE + 50
    assert [len(keys) for keys in store.reads] == [MOST_KEYS_AT_ONCE, 52]
    assert max(map(len, store.transactions)) <= MOST_KEYS_AT_ONCE


async def test_a_hundred_cars_go_to_a_hundred_of_three_hundred_orders(
    store: MemoryStore, room: StockRoom
) -> None:
    """Two replicas under contention sell exactly what there is, and refuse only the rest."""
    rooms = [room, StockRoom(store)]

    replies = await asyncio.gather(
        *(rooms[n % 2].reserve(reserve(f"o{n}", cars=1)) for n in range(300))
    )

    assert Counter(reply.outcome for reply in replies) == {"reserved": 100, "rejected": 200}
    assert on_shelf(await room.stock())["cars"] == (100, 100, 0)


async def test_another_replica_in_between_is_noticed(store: MemoryStore, room: StockRoom) -> None:
    """A change that came between reading and writing is read and decided upon anew."""
    sold_out = Item(name="cars", on_hand=0, unit_price_cents=15_000_00, opening=100)

    def sell_out_once() -> None:
        store.before_write = lambda: None
        store.put(item_key("cars"), sold_out.model_dump_json().encode())

    store.before_write = sell_out_once

    reply = await room.reserve(reserve("o1", cars=1))

    assert reply.outcome == "rejected"
    assert on_shelf(await room.stock())["cars"] == (0, 0, 0)


@pytest.mark.parametrize("trouble", [Trouble.UNAVAILABLE, Trouble.CONFLICT, Trouble.LOST_ANSWER])
async def test_a_write_in_trouble_is_made_up_for(
    store: MemoryStore, room: StockRoom, trouble: Trouble
) -> None:
    """A write that failed, conflicted or was applied without an answer takes effect once."""
    store.trouble_writing.append(trouble)

    reply = await room.reserve(reserve("o1", cars=11))

    assert reply.outcome == "reserved"
    assert on_shelf(await room.stock())["cars"] == (100, 11, 89)


async def test_a_read_in_trouble_is_made_up_for(store: MemoryStore, room: StockRoom) -> None:
    """A store that does not answer a reading is asked again."""
    store.trouble_reading.extend([Trouble.UNAVAILABLE] * 3)

    assert (await room.reserve(reserve("o1", cars=1))).outcome == "reserved"


async def test_a_reading_that_broke_off_decides_nothing(
    store: MemoryStore, room: StockRoom
) -> None:
    """Keys that a store left out do not count as absent: not an item, an order, nor the list."""
    store.trouble_reading.append(Trouble.BROKEN_OFF)
    assert (await room.reserve(reserve("o1", cars=1))).outcome == "reserved"

    store.trouble_reading.append(Trouble.BROKEN_OFF)
    assert (await room.commit(CommitRequest(order_id="o1"))).outcome == "committed"

    store.trouble_reading.append(Trouble.BROKEN_OFF)
    with pytest.raises(StoreUnavailable):
        await room.stock()


async def test_a_store_that_stays_away_is_told(store: MemoryStore, room: StockRoom) -> None:
    """After its attempts the keeper gives up, and the next request finds it working."""
    store.trouble_reading.extend([Trouble.UNAVAILABLE] * ATTEMPTS)

    with pytest.raises(StoreUnavailable):
        await room.reserve(reserve("o1", cars=1))

    assert (await room.reserve(reserve("o1", cars=1))).outcome == "reserved"


async def test_a_command_that_fails_does_not_disturb_the_others(
    store: MemoryStore, room: StockRoom
) -> None:
    """In one batch, whoever may be served is served, and who may not is told why."""
    replies = await asyncio.gather(
        room.reserve(reserve("o1", cars=1)),
        room.commit(CommitRequest(order_id="nobody")),
        room.reserve(reserve("o2", boats=1)),
        room.reserve(reserve("o3", cars=1)),
        return_exceptions=True,
    )

    assert isinstance(replies[1], NothingReserved)
    assert len(store.transactions) == 1
    assert on_shelf(await room.stock())["cars"] == (100, 2, 98)


async def test_a_command_that_fails_half_way_leaves_nothing(
    store: MemoryStore, room: StockRoom
) -> None:
    """What a command changed before it failed is not written with the rest of its batch."""
    broken = Item(name="paperclip", on_hand=0, unit_price_cents=1, opening=100)
    await room.reserve(reserve("o1", cars=1, paperclip=1))
    store.after_write = lambda: None
    store.put(item_key("paperclip"), broken.model_dump_json().encode())

    failed, reserved = await asyncio.gather(
        room.commit(CommitRequest(order_id="o1")),
        room.reserve(reserve("o2", cars=1)),
        return_exceptions=True,
    )

    assert isinstance(failed, Exception)
    assert not isinstance(reserved, BaseException)
    assert on_shelf(await room.stock())["cars"] == (100, 2, 98)


async def test_somebody_who_no_longer_waits_does_not_disturb_the_others(room: StockRoom) -> None:
    """A cancelled request leaves the rest of its batch alone."""
    given_up = asyncio.create_task(room.reserve(reserve("o1", cars=1)))
    others = asyncio.create_task(room.reserve(reserve("o2", cars=1)))
    await asyncio.sleep(0)
    given_up.cancel()

    assert (await others).outcome == "reserved"


async def test_a_keeper_tells_an_error_that_it_does_not_know(store: MemoryStore) -> None:
    """A value that cannot be read fails those who asked for it, and the keeper goes on."""
    store.put(item_key("cars"), b"garbage")
    keeper = Keeper(store)
    nothing = Command[None](Scope(items=frozenset({"cars"})), lambda _: None)

    with pytest.raises(ValueError, match="Invalid JSON"):
        await keeper.perform(nothing)
    assert await keeper.perform(Command(Scope(), lambda _: 7)) == 7


async def test_restock_adds_pieces(room: StockRoom) -> None:
    """With item and quantity, so many come on the shelf."""
    stock = await room.restock(RestockRequest(item="cars", quantity=5))

    assert on_shelf(stock)["cars"] == (105, 0, 105)


async def test_restocks_that_come_together_count_once_each_though_an_answer_is_lost(
    store: MemoryStore, room: StockRoom
) -> None:
    """A batch that is written without an answer does not put its restocks there twice."""
    store.trouble_writing.append(Trouble.LOST_ANSWER)

    count = RESTOCKS_REMEMBERED + 4

    request = RestockRequest(item="cars", quantity=5)
    await asyncio.gather(*(room.restock(request) for _ in range(count)))

    assert on_shelf(await room.stock())["cars"][0] == 100 + 5 * count


async def test_restock_of_one_item_brings_back_its_opening_stock(room: StockRoom) -> None:
    """With an item alone, only that one is brought back."""
    for order_id, name in (("o1", "cars"), ("o2", "computers")):
        await room.reserve(reserve(order_id, **{name: 10}))
        await room.commit(CommitRequest(order_id=order_id))

    stock = on_shelf(await room.restock(RestockRequest(item="cars")))

    assert (stock["cars"][0], stock["computers"][0]) == (100, 90)


async def test_restock_without_argument_brings_back_everything(room: StockRoom) -> None:
    """As the console's `restock` does."""
    for order_id, name in (("o1", "cars"), ("o2", "computers")):
        await room.reserve(reserve(order_id, **{name: 10}))
        await room.commit(CommitRequest(order_id=order_id))

    stock = on_shelf(await room.restock(RestockRequest()))

    assert {on_hand for on_hand, _, _ in stock.values()} == {100}


async def test_restock_of_an_unknown_item_is_refused(room: StockRoom) -> None:
    """What is not kept cannot be restocked, with a quantity or without."""
    for request in (RestockRequest(item="boats", quantity=1), RestockRequest(item="boats")):
        with pytest.raises(UnknownItem):
            await room.restock(request)


async def test_an_item_may_have_any_printable_name(store: MemoryStore) -> None:
    """Names that would make awkward keys are kept apart."""
    names = ["a b", "a/b", "a%2Fb", "ä", "item:a", "||"]
    room = StockRoom(store)
    await room.open([OpeningItem(item=name, quantity=1, unit_price_cents=1) for name in names])

    replies = [
        await room.reserve(
            ReserveRequest(order_id=f"o{n}", lines=(OrderLine(item=name, quantity=1),))
        )
        for n, name in enumerate(names)
    ]

    assert {reply.outcome for reply in replies} == {"reserved"}
    assert {on_hand for on_hand, _, _ in on_shelf(await room.stock()).values()} == {1}


ACTS = st.tuples(
    st.sampled_from(["reserve", "reserve", "commit", "release", "add", "reset"]),
    st.integers(0, 5),
    st.integers(0, 1),
)
TROUBLES = st.lists(st.sampled_from([*Trouble, Trouble.NONE, Trouble.NONE]), max_size=10)


@settings(max_examples=40, deadline=None)
@given(acts=st.lists(ACTS, min_size=1, max_size=25), writing=TROUBLES, reading=TROUBLES)
def test_no_interleaving_on_a_bad_store_breaks_the_stock(
    acts: list[tuple[str, int, int]], writing: list[Trouble], reading: list[Trouble]
) -> None:
    """Two replicas at once, lost answers, conflicts: nothing is oversold, lost or made twice."""
    asyncio.run(_interleave(acts, writing, reading))


async def _interleave(
    acts: list[tuple[str, int, int]], writing: list[Trouble], reading: list[Trouble]
) -> None:
    store = MemoryStore()
    rooms = [StockRoom(store), StockRoom(store)]
    opening = [OpeningItem(item=name, quantity=8, unit_price_cents=1) for name in ("cars", "clips")]
    await rooms[0].open(opening)
    store.after_write = store.audit
    store.trouble_writing.extend(writing)
    store.trouble_reading.extend(reading)

    async def act(kind: str, number: int, replica: int) -> object:
        room, order_id = rooms[replica], f"o{number}"
        if kind == "reserve":
            return await room.reserve(reserve(order_id, cars=number + 1, clips=1))
        if kind == "commit":
            return await room.commit(CommitRequest(order_id=order_id))
        if kind == "release":
            return await room.release(ReleaseRequest(order_id=order_id))
        request = RestockRequest(item="clips", quantity=2)
        return await room.restock(request if kind == "add" else RestockRequest(item="cars"))

    results = await asyncio.gather(*(act(*a) for a in acts), return_exceptions=True)

    assert all(
        isinstance(result, NothingReserved | StoreUnavailable)
        for result in results
        if isinstance(result, BaseException)
    ), results
    store.audit()
    taken = store.pieces(ReservationState.COMMITTED)
    shelf = store.items()
    if all(kind != "reset" for kind, _, _ in acts):
        assert shelf["cars"].on_hand + taken["cars"] == 8
    added = [r for (kind, _, _), r in zip(acts, results, strict=True) if kind == "add"]
    sure = 2 * sum(not isinstance(result, BaseException) for result in added)
    put_there = shelf["clips"].on_hand + taken["clips"] - 8
    assert sure <= put_there <= 2 * len(added)
