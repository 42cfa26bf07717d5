"""The use cases on a store with concurrent replicas, failures and lost answers."""

import asyncio
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fakes.memory_store import Failure, MemoryStore
from inventory.batching import ATTEMPTS, MAX_KEYS, Command, CommandBatcher
from inventory.config import OPENING_STOCK, OpeningItem
from inventory.domain import (
    MAX_RESTOCK_IDS,
    Item,
    NothingReserved,
    ReservationState,
    UnknownItem,
)
from inventory.ports import StoreUnavailable
from inventory.service import StockService
from inventory.store import CATALOGUE_KEY, Scope, bucket_key, item_key, order_key
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


def quantities_of(stock: Stock) -> dict[str, tuple[int, int, int]]:
    return {entry.item: (entry.on_hand, entry.reserved, entry.available) for entry in stock.items}


@pytest.fixture
def store() -> MemoryStore:
    store = MemoryStore()
    store.after_write = store.audit
    return store


@pytest.fixture
async def service(store: MemoryStore) -> StockService:
    service = StockService(store)
    await service.load_opening_stock(OPENING_STOCK)
    store.transactions.clear()
    store.reads.clear()
    return service


async def test_the_opening_stock_is_loaded(service: StockService) -> None:
    """An empty store gets every item with its quantity and price."""
    stock = await service.stock()

    assert [(entry.item, entry.on_hand, entry.unit_price_cents) for entry in stock.items] == [
        ("paperclip", 100, 5_00),
        ("cars", 100, 15_000_00),
        ("computers", 100, 500_00),
    ]


async def test_loading_again_changes_nothing(store: MemoryStore, service: StockService) -> None:
    """A restart neither adds stock nor writes."""
    await service.reserve(reserve("o1", cars=11))
    await service.commit(CommitRequest(order_id="o1"))
    before = dict(store.values)

    await StockService(store).load_opening_stock(OPENING_STOCK)

    assert store.values == before


async def test_loading_adds_a_new_item(store: MemoryStore, service: StockService) -> None:
    """An item that is added to the settings later is added to the stock."""
    boats = OpeningItem(item="boats", quantity=2, unit_price_cents=1)

    await service.load_opening_stock([*OPENING_STOCK, boats])

    assert quantities_of(await service.stock())["boats"] == (2, 0, 2)
    assert store.transactions == [frozenset({CATALOGUE_KEY, item_key("boats")})]


async def test_loading_can_be_repeated_after_a_lost_answer(store: MemoryStore) -> None:
    """If the answer of the write was lost, the next attempt finds the stock loaded."""
    store.write_failures.append(Failure.LOST_ANSWER)
    service = StockService(store)

    with pytest.raises(Exception, match="lost"):
        await service.load_opening_stock(OPENING_STOCK)
    await service.load_opening_stock(OPENING_STOCK)

    assert len(store.transactions) == 1


async def test_reserve_and_commit(service: StockService) -> None:
    """Reserved stock is not available, and committed stock is removed."""
    reply = await service.reserve(reserve("o1", cars=11))
    assert reply.outcome == "reserved"
    assert quantities_of(await service.stock())["cars"] == (100, 11, 89)

    committed = await service.commit(CommitRequest(order_id="o1"))

    assert committed.remaining == {"cars": 89}
    assert quantities_of(await service.stock())["cars"] == (89, 0, 89)


async def test_commit_and_release_work_in_another_process(
    store: MemoryStore, service: StockService
) -> None:
    """A process that did not make the reservation reads it from the store."""
    await service.reserve(reserve("o1", cars=11))
    await service.reserve(reserve("o2", cars=1))
    other = StockService(store)

    await other.commit(CommitRequest(order_id="o1"))
    await other.release(ReleaseRequest(order_id="o2"))

    assert quantities_of(await service.stock())["cars"] == (89, 0, 89)


async def test_a_commit_in_the_same_process_reads_once(
    store: MemoryStore, service: StockService
) -> None:
    """A commit in the process that made the reservation needs one read."""
    await service.reserve(reserve("o1", cars=11))
    store.reads.clear()

    await service.commit(CommitRequest(order_id="o1"))

    assert len(store.reads) == 1


async def test_concurrent_requests_share_a_transaction(
    store: MemoryStore, service: StockService
) -> None:
    """Concurrent orders for one item take one transaction, not one each."""
    await asyncio.gather(*(service.reserve(reserve(f"o{n}", cars=1)) for n in range(20)))

    assert len(store.transactions) == 1
    orders = [f"o{n}" for n in range(20)]
    keys = {item_key("cars"), *map(order_key, orders), *map(bucket_key, orders)}
    assert store.transactions[0] == keys


async def test_the_size_of_a_transaction_is_limited(
    store: MemoryStore, service: StockService
) -> None:
    """No transaction has more keys than allowed, however many requests are concurrent."""
    await asyncio.gather(
        *(service.reserve(reserve(f"o{n}", paperclip=1)) for n in range(MAX_KEYS + 50))
    )

    assert len(store.reservations()) == MAX_KEYS + 50
    assert [len(keys) for keys in store.reads] == [MAX_KEYS, 180]
    assert max(map(len, store.transactions)) <= MAX_KEYS


async def test_a_hundred_cars_are_sold_to_a_hundred_of_three_hundred_orders(
    store: MemoryStore, service: StockService
) -> None:
    """Two replicas under contention sell exactly the available stock."""
    services = [service, StockService(store)]

    replies = await asyncio.gather(
        *(services[n % 2].reserve(reserve(f"o{n}", cars=1)) for n in range(300))
    )

    assert Counter(reply.outcome for reply in replies) == {"reserved": 100, "rejected": 200}
    assert quantities_of(await service.stock())["cars"] == (100, 100, 0)


async def test_a_concurrent_change_by_another_replica_is_noticed(
    store: MemoryStore, service: StockService
) -> None:
    """After a change between read and write, the command is applied again."""
    sold_out = Item(name="cars", on_hand=0, unit_price_cents=15_000_00, opening=100)

    def sell_out_once() -> None:
        store.before_write = lambda: None
        store.put(item_key("cars"), sold_out.model_dump_json().encode())

    store.before_write = sell_out_once

    reply = await service.reserve(reserve("o1", cars=1))

    assert reply.outcome == "rejected"
    assert quantities_of(await service.stock())["cars"] == (0, 0, 0)


@pytest.mark.parametrize("failure", [Failure.UNAVAILABLE, Failure.CONFLICT, Failure.LOST_ANSWER])
async def test_a_failed_write_is_retried(
    store: MemoryStore, service: StockService, failure: Failure
) -> None:
    """A write that failed, conflicted or lost its answer takes effect once."""
    store.write_failures.append(failure)

    reply = await service.reserve(reserve("o1", cars=11))

    assert reply.outcome == "reserved"
    assert quantities_of(await service.stock())["cars"] == (100, 11, 89)


async def test_a_failed_read_is_retried(store: MemoryStore, service: StockService) -> None:
    """A read without an answer is retried."""
    store.read_failures.extend([Failure.UNAVAILABLE] * 3)

    assert (await service.reserve(reserve("o1", cars=1))).outcome == "reserved"


async def test_an_incomplete_read_decides_nothing(
    store: MemoryStore, service: StockService
) -> None:
    """Keys missing from an incomplete read are not treated as absent."""
    store.read_failures.append(Failure.INCOMPLETE)
    assert (await service.reserve(reserve("o1", cars=1))).outcome == "reserved"

    store.read_failures.append(Failure.INCOMPLETE)
    assert (await service.commit(CommitRequest(order_id="o1"))).outcome == "committed"

    store.read_failures.append(Failure.INCOMPLETE)
    with pytest.raises(StoreUnavailable):
        await service.stock()


async def test_a_permanently_unavailable_store_raises(
    store: MemoryStore, service: StockService
) -> None:
    """After all attempts the request fails, and the next request works again."""
    store.read_failures.extend([Failure.UNAVAILABLE] * ATTEMPTS)

    with pytest.raises(StoreUnavailable):
        await service.reserve(reserve("o1", cars=1))

    assert (await service.reserve(reserve("o1", cars=1))).outcome == "reserved"


async def test_a_failing_command_does_not_affect_the_rest_of_its_batch(
    store: MemoryStore, service: StockService
) -> None:
    """Valid commands of a batch succeed, and an invalid one gets its own error."""
    replies = await asyncio.gather(
        service.reserve(reserve("o1", cars=1)),
        service.commit(CommitRequest(order_id="nobody")),
        service.reserve(reserve("o2", boats=1)),
        service.reserve(reserve("o3", cars=1)),
        return_exceptions=True,
    )

    assert isinstance(replies[1], NothingReserved)
    assert len(store.transactions) == 1
    assert quantities_of(await service.stock())["cars"] == (100, 2, 98)


async def test_partial_changes_of_a_failing_command_are_undone(
    store: MemoryStore, service: StockService
) -> None:
    """Changes that a command made before it failed are not written."""
    broken = Item(name="paperclip", on_hand=0, unit_price_cents=1, opening=100)
    await service.reserve(reserve("o1", cars=1, paperclip=1))
    store.after_write = lambda: None
    store.put(item_key("paperclip"), broken.model_dump_json().encode())

    failed, reserved = await asyncio.gather(
        service.commit(CommitRequest(order_id="o1")),
        service.reserve(reserve("o2", cars=1)),
        return_exceptions=True,
    )

    assert isinstance(failed, Exception)
    assert not isinstance(reserved, BaseException)
    assert quantities_of(await service.stock())["cars"] == (100, 2, 98)


async def test_a_cancelled_request_does_not_affect_the_others(service: StockService) -> None:
    """A cancelled request does not affect the rest of its batch."""
    cancelled = asyncio.create_task(service.reserve(reserve("o1", cars=1)))
    others = asyncio.create_task(service.reserve(reserve("o2", cars=1)))
    await asyncio.sleep(0)
    cancelled.cancel()

    assert (await others).outcome == "reserved"


async def test_an_unexpected_error_reaches_the_caller(store: MemoryStore) -> None:
    """An unreadable value fails the commands that need it, and later ones still work."""
    store.put(item_key("cars"), b"garbage")
    batcher = CommandBatcher(store)
    no_change = Command[None](Scope(items=frozenset({"cars"})), lambda _: None)

    with pytest.raises(ValueError, match="Invalid JSON"):
        await batcher.execute(no_change)
    assert await batcher.execute(Command(Scope(), lambda _: 7)) == 7


async def test_restock_adds_stock(service: StockService) -> None:
    """With an item and a quantity, that quantity is added."""
    stock = await service.restock(RestockRequest(item="cars", quantity=5))

    assert quantities_of(stock)["cars"] == (105, 0, 105)


async def test_concurrent_restocks_count_once_each_despite_a_lost_answer(
    store: MemoryStore, service: StockService
) -> None:
    """A batch whose answer was lost does not add its restocks twice."""
    store.write_failures.append(Failure.LOST_ANSWER)

    count = MAX_RESTOCK_IDS + 4

    request = RestockRequest(item="cars", quantity=5)
    await asyncio.gather(*(service.restock(request) for _ in range(count)))

    assert quantities_of(await service.stock())["cars"][0] == 100 + 5 * count


async def test_restock_of_one_item_resets_it(service: StockService) -> None:
    """With only an item, that item is reset to its opening stock."""
    for order_id, name in (("o1", "cars"), ("o2", "computers")):
        await service.reserve(reserve(order_id, **{name: 10}))
        await service.commit(CommitRequest(order_id=order_id))

    stock = quantities_of(await service.restock(RestockRequest(item="cars")))

    assert (stock["cars"][0], stock["computers"][0]) == (100, 90)


async def test_restock_without_arguments_resets_everything(service: StockService) -> None:
    """Without arguments all items are reset, as by the console's `restock`."""
    for order_id, name in (("o1", "cars"), ("o2", "computers")):
        await service.reserve(reserve(order_id, **{name: 10}))
        await service.commit(CommitRequest(order_id=order_id))

    stock = quantities_of(await service.restock(RestockRequest()))

    assert {on_hand for on_hand, _, _ in stock.values()} == {100}


async def test_restock_of_an_unknown_item_is_rejected(service: StockService) -> None:
    """An unknown item cannot be restocked, with or without a quantity."""
    for request in (RestockRequest(item="boats", quantity=1), RestockRequest(item="boats")):
        with pytest.raises(UnknownItem):
            await service.restock(request)


async def test_an_item_may_have_any_printable_name(store: MemoryStore) -> None:
    """Names with special characters get distinct keys."""
    names = ["a b", "a/b", "a%2Fb", "ä", "item:a", "||"]
    service = StockService(store)
    await service.load_opening_stock(
        [OpeningItem(item=name, quantity=1, unit_price_cents=1) for name in names]
    )

    replies = [
        await service.reserve(
            ReserveRequest(order_id=f"o{n}", lines=(OrderLine(item=name, quantity=1),))
        )
        for n, name in enumerate(names)
    ]

    assert {reply.outcome for reply in replies} == {"reserved"}
    assert {on_hand for on_hand, _, _ in quantities_of(await service.stock()).values()} == {1}


OPERATIONS = st.tuples(
    st.sampled_from(["reserve", "reserve", "commit", "release", "add", "reset"]),
    st.integers(0, 5),
    st.integers(0, 1),
)
FAILURES = st.lists(st.sampled_from([*Failure, Failure.NONE, Failure.NONE]), max_size=10)


@settings(max_examples=40, deadline=None)
@given(
    operations=st.lists(OPERATIONS, min_size=1, max_size=25),
    write_failures=FAILURES,
    read_failures=FAILURES,
)
def test_no_interleaving_on_a_failing_store_corrupts_the_stock(
    operations: list[tuple[str, int, int]],
    write_failures: list[Failure],
    read_failures: list[Failure],
) -> None:
    """With two replicas, lost answers and conflicts, stock is never oversold, lost or doubled."""
    asyncio.run(_interleave(operations, write_failures, read_failures))


async def _interleave(
    operations: list[tuple[str, int, int]],
    write_failures: list[Failure],
    read_failures: list[Failure],
) -> None:
    store = MemoryStore()
    services = [StockService(store), StockService(store)]
    opening = [OpeningItem(item=name, quantity=8, unit_price_cents=1) for name in ("cars", "clips")]
    await services[0].load_opening_stock(opening)
    store.after_write = store.audit
    store.write_failures.extend(write_failures)
    store.read_failures.extend(read_failures)

    async def act(kind: str, number: int, replica: int) -> object:
        service, order_id = services[replica], f"o{number}"
        if kind == "reserve":
            return await service.reserve(reserve(order_id, cars=number + 1, clips=1))
        if kind == "commit":
            return await service.commit(CommitRequest(order_id=order_id))
        if kind == "release":
            return await service.release(ReleaseRequest(order_id=order_id))
        request = RestockRequest(item="clips", quantity=2)
        return await service.restock(request if kind == "add" else RestockRequest(item="cars"))

    results = await asyncio.gather(*(act(*a) for a in operations), return_exceptions=True)

    assert all(
        isinstance(result, NothingReserved | StoreUnavailable)
        for result in results
        if isinstance(result, BaseException)
    ), results
    store.audit()
    committed = store.quantities(ReservationState.COMMITTED)
    items = store.items()
    if all(kind != "reset" for kind, _, _ in operations):
        assert items["cars"].on_hand + committed["cars"] == 8
    added = [r for (kind, _, _), r in zip(operations, results, strict=True) if kind == "add"]
    confirmed = 2 * sum(not isinstance(result, BaseException) for result in added)
    net_added = items["clips"].on_hand + committed["clips"] - 8
    assert confirmed <= net_added <= 2 * len(added)
