"""The feed of status changes: followers miss none and get none twice."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from fakes.waiting import DEADLINE_SECONDS
from orderflow_contracts.orders import OrderLine, OrderSubmitted
from orders.ordering import feed as feed_module
from orders.ordering.feed import StatusFeed
from orders.ordering.records import StoredChange
from orders.ordering.store import OrderStore


async def keep(store: OrderStore, order_id: str) -> StoredChange:
    order = OrderSubmitted(
        order_id=order_id, customer_id="alice", lines=(OrderLine(item="cars", quantity=1),)
    )
    return (await store.accept(order)).first


async def read(follower: AsyncIterator[StoredChange | None], count: int) -> list[str]:
    """Return this many changes, without keep-alives."""
    found: list[str] = []
    async with asyncio.timeout(DEADLINE_SECONDS):
        while len(found) < count:
            entry = await anext(follower)
            if entry is not None:
                found.append(entry.change.order_id)
    return found


async def ended(follower: AsyncIterator[StoredChange | None]) -> bool:
    async with asyncio.timeout(DEADLINE_SECONDS):
        return [entry async for entry in follower if entry is not None] == []


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Use short intervals for polling and keep-alives."""
    monkeypatch.setattr(feed_module, "KEEP_ALIVE_SECONDS", 0.02)
    monkeypatch.setattr(feed_module, "LOOK_AGAIN_SECONDS", 0.01)


async def test_a_follower_gets_everything_after_its_position(
    store: OrderStore, feed: StatusFeed
) -> None:
    """This includes changes recorded before it connected."""
    first, *_ = [await keep(store, f"o{number}") for number in range(3)]

    assert await read(feed.follow(0), 3) == ["o0", "o1", "o2"]
    assert await read(feed.follow(first.position), 2) == ["o1", "o2"]


async def test_a_follower_gets_new_changes_at_once(store: OrderStore, feed: StatusFeed) -> None:
    """A change published while it waits is sent at once."""
    await keep(store, "o1")
    follower = feed.follow(0)
    assert await read(follower, 1) == ["o1"]

    waiting = asyncio.create_task(read(follower, 1))
    await asyncio.sleep(0)
    feed.publish(await keep(store, "o2"))

    assert await waiting == ["o2"]


async def test_a_follower_without_a_position_starts_with_the_next_change(
    store: OrderStore, feed: StatusFeed
) -> None:
    """Earlier changes are not sent."""
    await keep(store, "old")
    follower = feed.follow(None)
    waiting = asyncio.create_task(read(follower, 1))

    number = 0
    while not waiting.done():
        feed.publish(await keep(store, f"new-{number}"))
        number += 1

    assert (await waiting)[0].startswith("new-")


async def test_changes_published_out_of_order_are_sent_in_order(
    store: OrderStore, feed: StatusFeed
) -> None:
    """A gap makes the follower read the table, and the late change is not sent twice."""
    follower = feed.follow(0)
    waiting = asyncio.create_task(read(follower, 4))
    await asyncio.sleep(0)
    stored = [await keep(store, f"o{number}") for number in range(4)]

    for entry in (stored[1], stored[0], stored[3], stored[2], stored[3]):
        feed.publish(entry)

    assert await waiting == ["o0", "o1", "o2", "o3"]
    feed.close()
    assert await ended(follower)


async def test_a_slow_follower_misses_nothing(
    store: OrderStore, feed: StatusFeed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Changes beyond its buffer are read from the table."""
    monkeypatch.setattr(feed_module, "MAX_AT_ONCE", 2)
    await keep(store, "o0")
    follower = feed.follow(0)
    found = await read(follower, 1)

    for number in range(1, 10):
        feed.publish(await keep(store, f"o{number}"))

    found += await read(follower, 9)
    assert found == [f"o{number}" for number in range(10)]


@pytest.mark.usefixtures("at_once")
async def test_changes_of_other_replicas_are_found(store: OrderStore) -> None:
    """If the database is shared, the table is polled."""
    feed = StatusFeed(store, shared=True)
    follower = feed.follow(0)
    waiting = asyncio.create_task(read(follower, 1))

    await keep(store, "elsewhere")

    assert await waiting == ["elsewhere"]


@pytest.mark.usefixtures("at_once")
async def test_an_idle_feed_sends_keep_alives(store: OrderStore) -> None:
    """A follower gets a sign of life if nothing happens."""
    follower = StatusFeed(store, shared=False).follow(0)

    async with asyncio.timeout(DEADLINE_SECONDS):
        assert await anext(follower) is None


async def test_closing_ends_all_followers(store: OrderStore, feed: StatusFeed) -> None:
    """When the service stops, current followers end, and new ones end at once."""
    await keep(store, "o1")
    followers = [feed.follow(0) for _ in range(3)]
    waiting = [asyncio.create_task(read(follower, 1)) for follower in followers]
    await asyncio.gather(*waiting)

    feed.close()

    assert all([await ended(follower) for follower in followers])
    assert await read(feed.follow(0), 1) == ["o1"]
    assert await ended(feed.follow(1))
