"""Following approvals: whoever looks learns of each change, and of each deadline that passes."""

import asyncio
from collections.abc import AsyncGenerator, Iterator
from datetime import UTC, datetime, timedelta

import pytest

from approvals import feed as feed_module
from approvals.feed import ChangeFeed
from approvals.store import SqlApprovalStore, Version
from approvals.tables import TABLES
from fakes.schemas import FromModels
from fakes.waiting import DEADLINE_SECONDS, until
from orderflow_contracts.approvals import ApprovalRequested
from orderflow_contracts.fields import now
from orderflow_contracts.orders import OrderLine
from orderflow_hosting.database import Database, DatabaseUnavailable

Follower = AsyncGenerator[Version, None]


async def ask(store: SqlApprovalStore, order_id: str, seconds: float = 3600) -> None:
    request = ApprovalRequested(
        order_id=order_id,
        customer_id="carol",
        lines=(OrderLine(item="cars", quantity=4),),
        total_cents=60_000_00,
        expires_at=now() + timedelta(seconds=seconds),
    )
    await store.change(order_id, lambda case: case.ask(request, now()))


async def news(follower: Follower) -> Version:
    """Wait for the next version."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        return await anext(follower)


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look again, and tell again, without much patience."""
    monkeypatch.setattr(feed_module, "LOOK_AGAIN_SECONDS", 0.01)


@pytest.fixture
def other_store(store: SqlApprovalStore, database_url: str) -> Iterator[SqlApprovalStore]:
    """Open the same tables, as another replica does."""
    assert store is not None  # it has made them
    other = Database(database_url, FromModels(TABLES))
    yield SqlApprovalStore(other)
    other.close()


async def test_who_has_seen_what_there_is_hears_of_the_next_change(
    store: SqlApprovalStore,
) -> None:
    """Nothing is told twice, and what changes is told with its number."""
    await ask(store, "o-1")
    seen = await store.version(now())
    follower = ChangeFeed(store).follow(str(seen))
    waiting = asyncio.create_task(news(follower))

    await ask(store, "o-2")

    assert (await waiting).change == seen.change + 1
    await follower.aclose()


async def test_a_change_between_the_page_and_the_stream_is_told_at_once(
    store: SqlApprovalStore,
) -> None:
    """A page that was read before a change hears of it though it listens only afterwards."""
    seen = await store.version(now())
    await ask(store, "o-1")

    follower = ChangeFeed(store).follow(str(seen))

    assert (await news(follower)).change == 1
    await follower.aclose()


async def test_two_replicas_tell_of_each_others_changes(
    store: SqlApprovalStore, other_store: SqlApprovalStore
) -> None:
    """What one replica writes reaches those who follow at either one."""
    follower, other = (ChangeFeed(each).follow("0-") for each in (store, other_store))

    await ask(store, "o-1")
    first = await asyncio.gather(news(follower), news(other))
    await ask(other_store, "o-2")
    second = await asyncio.gather(news(follower), news(other))

    assert [version.change for version in (*first, *second)] == [1, 1, 2, 2]
    for each in (follower, other):
        await each.aclose()


async def test_a_deadline_that_passes_is_news(
    store: SqlApprovalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody writes when time is over; who looks is told all the same, and in time."""
    monkeypatch.setattr(feed_module, "LOOK_AGAIN_SECONDS", 2 * DEADLINE_SECONDS)
    await ask(store, "later")
    await ask(store, "soon", seconds=0.3)
    follower = ChangeFeed(store).follow(None)
    first = await news(follower)

    second = await news(follower)

    assert first.change == second.change
    assert first.deadline is not None
    assert first.deadline <= now()
    assert second.deadline is not None
    assert second.deadline > now()
    await follower.aclose()


class Counting:
    """Approvals that count how often they are asked, and are away when told so."""

    def __init__(self) -> None:
        self.looks = 0
        self.is_away = False
        self.version_now = Version(1, None)

    async def version(self, now: datetime) -> Version:
        assert now.tzinfo is UTC
        self.looks += 1
        if self.is_away:
            raise DatabaseUnavailable("away")
        return self.version_now


async def test_one_task_looks_for_all_and_for_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many follow, the table is looked at once; when all have left, no more."""
    monkeypatch.setattr(feed_module, "LOOK_AGAIN_SECONDS", 0.05)
    approvals = Counting()
    feed = ChangeFeed(approvals)
    followers = [feed.follow(None) for _ in range(50)]
    await asyncio.gather(*(news(follower) for follower in followers))
    looks, tasks = approvals.looks, len(asyncio.all_tasks())

    for follower in followers:
        await follower.aclose()

    assert looks < 10
    await until(lambda: len(asyncio.all_tasks()) == tasks - 1)


async def test_a_database_that_comes_back_is_followed_again() -> None:
    """While it is away the stream stays."""
    approvals = Counting()
    follower = ChangeFeed(approvals).follow(None)
    await news(follower)
    approvals.is_away = True
    before = approvals.looks
    waiting = asyncio.create_task(news(follower))
    await until(lambda: approvals.looks > before + 2)

    approvals.version_now = Version(2, None)
    approvals.is_away = False

    assert (await waiting).change == 2
    await follower.aclose()


async def test_closing_ends_all_followers() -> None:
    """When the service stops, those who follow are let go, and new ones at once."""
    feed = ChangeFeed(Counting())
    followers = [feed.follow(None) for _ in range(3)]
    await asyncio.gather(*(news(follower) for follower in followers))
    waiting = [asyncio.create_task(anext(follower, None)) for follower in followers]
    await asyncio.sleep(0)

    feed.close()

    async with asyncio.timeout(DEADLINE_SECONDS):
        assert await asyncio.gather(*waiting) == [None] * 3
        assert [each async for each in feed.follow(None)] == []
