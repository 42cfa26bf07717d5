"""The change feed: followers learn of each change and each deadline that passes."""

import asyncio
from collections.abc import AsyncGenerator, Iterator
from datetime import UTC, datetime, timedelta

import pytest

from approvals.decisions import feed as feed_module
from approvals.decisions.feed import ChangeFeed
from approvals.decisions.ports import Version
from approvals.decisions.store import SqlApprovalStore
from approvals.tables import TABLES
from fakes.schemas import FromModels
from fakes.waiting import DEADLINE_SECONDS, until
from orderflow_contracts.approvals import ApprovalRequested
from orderflow_contracts.fields import now
from orderflow_contracts.orders import OrderLine
from orderflow_hosting.database import Database, DatabaseUnavailable

Follower = AsyncGenerator[Version, None]


async def add_request(store: SqlApprovalStore, order_id: str, seconds: float = 3600) -> None:
    request = ApprovalRequested(
        order_id=order_id,
        customer_id="carol",
        lines=(OrderLine(item="cars", quantity=4),),
        total_cents=60_000_00,
        expires_at=now() + timedelta(seconds=seconds),
    )
    await store.change(order_id, lambda case: case.add_request(request, now()))


async def next_version(follower: Follower) -> Version:
    """Wait for the next version."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        return await anext(follower)


@pytest.fixture(autouse=True)
def fast_polling(monkeypatch: pytest.MonkeyPatch) -> None:
    """Poll frequently."""
    monkeypatch.setattr(feed_module, "POLL_SECONDS", 0.01)


@pytest.fixture
def other_store(store: SqlApprovalStore, database_url: str) -> Iterator[SqlApprovalStore]:
    """Open the same tables as another replica would."""
    assert store is not None  # it has created the tables
    other = Database(database_url, FromModels(TABLES))
    yield SqlApprovalStore(other)
    other.close()


async def test_a_follower_learns_of_the_next_change(
    store: SqlApprovalStore,
) -> None:
    """The version already seen is not repeated, and the next change is yielded."""
    await add_request(store, "o-1")
    seen = await store.version(now())
    follower = ChangeFeed(store).follow(str(seen))
    waiting = asyncio.create_task(next_version(follower))

    await add_request(store, "o-2")

    assert (await waiting).change == seen.change + 1
    await follower.aclose()


async def test_a_change_between_the_page_and_the_stream_is_not_missed(
    store: SqlApprovalStore,
) -> None:
    """A page read before a change learns of it although it follows only later."""
    seen = await store.version(now())
    await add_request(store, "o-1")

    follower = ChangeFeed(store).follow(str(seen))

    assert (await next_version(follower)).change == 1
    await follower.aclose()


async def test_replicas_notice_each_others_changes(
    store: SqlApprovalStore, other_store: SqlApprovalStore
) -> None:
    """A change by one replica reaches the followers of both."""
    follower, other = (ChangeFeed(each).follow("0-") for each in (store, other_store))

    await add_request(store, "o-1")
    first = await asyncio.gather(next_version(follower), next_version(other))
    await add_request(other_store, "o-2")
    second = await asyncio.gather(next_version(follower), next_version(other))

    assert [version.change for version in (*first, *second)] == [1, 1, 2, 2]
    for each in (follower, other):
        await each.aclose()


async def test_a_passing_deadline_is_a_new_version(
    store: SqlApprovalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Followers learn in time of a deadline that passes, although nothing is written."""
    monkeypatch.setattr(feed_module, "POLL_SECONDS", 2 * DEADLINE_SECONDS)
    await add_request(store, "later")
    await add_request(store, "soon", seconds=0.3)
    follower = ChangeFeed(store).follow(None)
    first = await next_version(follower)

    second = await next_version(follower)

    assert first.change == second.change
    assert first.deadline is not None
    assert first.deadline <= now()
    assert second.deadline is not None
    assert second.deadline > now()
    await follower.aclose()


class CountingApprovals:
    """Approvals that count their reads, and can be made unavailable."""

    def __init__(self) -> None:
        self.reads = 0
        self.is_unavailable = False
        self.version_now = Version(1, None)

    async def version(self, now: datetime) -> Version:
        assert now.tzinfo is UTC
        self.reads += 1
        if self.is_unavailable:
            raise DatabaseUnavailable("unavailable")
        return self.version_now


async def test_one_task_polls_for_all_followers_and_then_stops(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One task polls for any number of followers, and stops when all have left."""
    monkeypatch.setattr(feed_module, "POLL_SECONDS", 0.05)
    approvals = CountingApprovals()
    feed = ChangeFeed(approvals)
    followers = [feed.follow(None) for _ in range(50)]
    await asyncio.gather(*(next_version(follower) for follower in followers))
    reads, tasks = approvals.reads, len(asyncio.all_tasks())

    for follower in followers:
        await follower.aclose()

    assert reads < 10
    await until(lambda: len(asyncio.all_tasks()) == tasks - 1)


async def test_following_continues_when_the_database_returns() -> None:
    """The stream stays open while the database is unavailable."""
    approvals = CountingApprovals()
    follower = ChangeFeed(approvals).follow(None)
    await next_version(follower)
    approvals.is_unavailable = True
    before = approvals.reads
    waiting = asyncio.create_task(next_version(follower))
    await until(lambda: approvals.reads > before + 2)

    approvals.version_now = Version(2, None)
    approvals.is_unavailable = False

    assert (await waiting).change == 2
    await follower.aclose()


async def test_closing_ends_all_followers() -> None:
    """When the service stops, current followers end, and new ones end immediately."""
    feed = ChangeFeed(CountingApprovals())
    followers = [feed.follow(None) for _ in range(3)]
    await asyncio.gather(*(next_version(follower) for follower in followers))
    waiting = [asyncio.create_task(anext(follower, None)) for follower in followers]
    await asyncio.sleep(0)

    feed.close()

    async with asyncio.timeout(DEADLINE_SECONDS):
        assert await asyncio.gather(*waiting) == [None] * 3
        assert [each async for each in feed.follow(None)] == []
