"""Which reservations inventory finds: those of certain orders, and all that are open."""

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fakes.memory_store import Failure, MemoryStore
from inventory.config import OPENING_STOCK
from inventory.ports import StoreUnavailable
from inventory.service import StockService
from inventory.store import bucket_key, order_key
from orderflow_contracts.inventory import (
    CommitRequest,
    ReleaseRequest,
    ReservationsWanted,
    ReserveRequest,
)
from orderflow_contracts.orders import OrderLine

ORDER_IDS = st.sets(st.from_regex(r"[a-z0-9-]{1,12}", fullmatch=True), max_size=40)


@pytest.fixture
def store() -> MemoryStore:
    store = MemoryStore()
    store.after_write = store.audit
    return store


@pytest.fixture
async def service(store: MemoryStore) -> StockService:
    service = StockService(store)
    await service.load_opening_stock(OPENING_STOCK)
    return service


async def reserve(service: StockService, order_id: str, quantity: int = 1) -> None:
    lines = (OrderLine(item="paperclip", quantity=quantity),)
    await service.reserve(ReserveRequest(order_id=order_id, lines=lines))


async def open_orders(service: StockService, limit: int = 500) -> list[str]:
    """Return the orders with an open reservation, read page by page."""
    found: list[str] = []
    after = None
    while True:
        page = await service.reservations(ReservationsWanted(after=after, limit=limit))
        assert len(page.reservations) <= limit
        found += [each.order_id for each in page.reservations]
        if page.next is None:
            return found
        after = page.next


async def test_reservations_of_certain_orders_have_their_states(service: StockService) -> None:
    """Rejected and unknown orders have nothing reserved, so they are left out."""
    for order_id in ("open", "shipped", "returned"):
        await reserve(service, order_id, 2)
    await reserve(service, "rejected", 1000)
    await service.commit(CommitRequest(order_id="shipped"))
    await service.release(ReleaseRequest(order_id="returned"))
    wanted = ("open", "shipped", "returned", "rejected", "unknown")

    reply = await service.reservations(ReservationsWanted(order_ids=wanted))

    states = {each.order_id: str(each.state) for each in reply.reservations}
    assert states == {"open": "reserved", "shipped": "committed", "returned": "released"}
    assert [line.quantity for line in reply.reservations[0].lines] == [2]
    assert reply.next is None
    assert await open_orders(service) == ["open"]


@settings(max_examples=30, deadline=None)
@given(opened=ORDER_IDS, ended=ORDER_IDS, limit=st.integers(1, 7))
def test_pages_have_every_open_reservation_once(
    opened: set[str], ended: set[str], limit: int
) -> None:
    """They come by order ID, whatever the size of a page and whatever has ended meanwhile."""

    async def check() -> None:
        service = StockService(MemoryStore())
        await service.load_opening_stock(OPENING_STOCK)
        for order_id in opened:
            await reserve(service, order_id)
        for order_id in ended:
            await service.release(ReleaseRequest(order_id=order_id))
        assert await open_orders(service, limit) == sorted(opened - ended)

    asyncio.run(check())


async def test_an_earlier_reservation_is_listed_once_a_command_is_about_it(
    store: MemoryStore, service: StockService
) -> None:
    """Before that, it is found by its order's ID only."""
    await reserve(service, "o1")
    del store.values[bucket_key("o1")]

    assert await open_orders(service) == []
    by_id = await service.reservations(ReservationsWanted(order_ids=("o1",)))
    assert [each.order_id for each in by_id.reservations] == ["o1"]

    await reserve(service, "o1")
    assert await open_orders(service) == ["o1"]


async def test_an_earlier_reservation_is_committed_without_a_bucket(
    store: MemoryStore, service: StockService
) -> None:
    """Its bucket does not exist and need not."""
    await reserve(service, "o1")
    del store.values[bucket_key("o1")]

    await service.commit(CommitRequest(order_id="o1"))

    assert bucket_key("o1") not in store.values


async def test_an_entry_that_another_version_left_behind_is_not_open(
    store: MemoryStore, service: StockService
) -> None:
    """A replica without buckets commits an order and leaves its entry in the bucket."""
    await reserve(service, "o1")
    bucket = store.values[bucket_key("o1")]
    await service.commit(CommitRequest(order_id="o1"))
    store.values[bucket_key("o1")] = bucket

    assert await open_orders(service) == []


@pytest.mark.parametrize("wanted", [{}, {"order_ids": ("o1",)}])
async def test_an_incomplete_read_is_not_taken_for_an_answer(
    store: MemoryStore, service: StockService, wanted: dict[str, tuple[str, ...]]
) -> None:
    """Keys that only look absent make the call fail, so that it is made again."""
    await reserve(service, "o1")
    assert order_key("o1") in store.values
    store.read_failures.append(Failure.INCOMPLETE)

    with pytest.raises(StoreUnavailable):
        await service.reservations(ReservationsWanted.model_validate(wanted))
