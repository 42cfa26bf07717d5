"""Lists of workflow instances: read from the index, and true when they are shown."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from fakes.managed_engine import ManagedMemoryEngine
from orderflow_contracts.fields import now
from orderflow_workflow_runtime.instances import RuntimeStatus
from orderflow_workflow_runtime.ports import EngineUnavailable
from orders.management.errors import UnknownPosition
from orders.management.index import InstanceIndex
from orders.management.listing import Listing
from orders.management.records import Entry, InstanceFilter
from orders.management.sweeping import Sweep

HELLO = "interactive_hello_workflow"
ORDER = "order_processing_workflow"
START = datetime(2026, 3, 1, tzinfo=UTC)
SECOND = timedelta(seconds=1)


@pytest.fixture
def engine() -> ManagedMemoryEngine:
    return ManagedMemoryEngine()


@pytest.fixture
def sweep(engine: ManagedMemoryEngine, index: InstanceIndex) -> Sweep:
    return Sweep(engine, index)


@pytest.fixture
def listing(engine: ManagedMemoryEngine, index: InstanceIndex) -> Listing:
    return Listing(engine, index)


async def ids(listing: Listing, **filters: Any) -> list[str]:
    found, _ = await listing.page(InstanceFilter(**filters), 500)
    return [instance.instance_id for instance in found]


async def indexed(index: InstanceIndex, **filters: Any) -> list[str]:
    return [each.instance_id for each in await index.store.page(InstanceFilter(**filters), 9, None)]


# What is shown is true


async def test_a_page_reads_only_its_own_instances(
    engine: ManagedMemoryEngine, sweep: Sweep, listing: Listing
) -> None:
    """The others may be many."""
    for number in range(20):
        engine.put(f"i{number:02}")
    await sweep.round()
    engine.read.clear()
    engine.list_calls = 0

    await listing.page(InstanceFilter(), 3, "i04")

    assert engine.read == ["i05", "i06", "i07"]
    assert engine.list_calls == 0


async def test_what_has_changed_is_corrected(
    engine: ManagedMemoryEngine, index: InstanceIndex, sweep: Sweep, listing: Listing
) -> None:
    """An instance that no longer matches is left out, and found by its new status from then on."""
    for name in ("a", "b", "c"):
        engine.put(name)
    await sweep.round()
    engine.put("a", RuntimeStatus.FAILED)
    del engine.instances["b"]

    assert await ids(listing, status=RuntimeStatus.RUNNING) == ["c"]

    assert await ids(listing, status=RuntimeStatus.FAILED) == ["a"]
    assert await indexed(index) == ["a", "c"]


async def test_a_started_instance_is_in_the_next_list(
    engine: ManagedMemoryEngine, index: InstanceIndex, listing: Listing
) -> None:
    """What was observed is written before a list is read."""
    engine.put("x")
    index.started("x", HELLO, now())

    assert await ids(listing) == ["x"]


async def test_a_damaged_instance_is_a_row_that_says_so(
    engine: ManagedMemoryEngine, sweep: Sweep, listing: Listing
) -> None:
    """Its name and status are those last known, and the other rows are as usual."""
    for name in ("a", "b", "c"):
        engine.put(name, RuntimeStatus.SUSPENDED)
    await sweep.round()
    engine.damaged = {"b"}

    found, _ = await listing.page(InstanceFilter(status=RuntimeStatus.SUSPENDED), 10)

    assert [each.instance_id for each in found] == ["a", "b", "c"]
    assert {each.name for each in found} == {HELLO}
    failures = [each.failure for each in found]
    assert failures[0] is failures[2] is None
    assert failures[1] is not None
    assert failures[1].code == "WORKFLOW_DAMAGED"
    assert "history is damaged" in failures[1].message
    assert found[1].created_at == engine.instances["b"].created_at


async def test_an_instance_that_is_being_written_is_not_damaged(
    engine: ManagedMemoryEngine, sweep: Sweep, listing: Listing
) -> None:
    """Nor is one that has been repaired. Only a read of a damaged one is not repeated patiently."""
    for name in ("a", "b"):
        engine.put(name)
    await sweep.round()
    engine.being_written, engine.damaged = {"a"}, {"b"}

    async def damaged() -> list[str]:
        found, _ = await listing.page(InstanceFilter(), 10)
        return [each.instance_id for each in found if each.failure]

    assert await damaged() == ["b"]
    engine.being_written, engine.damaged = {"b"}, set()
    assert await damaged() == ["b"]
    engine.being_written = set()
    assert await damaged() == []
    engine.being_written = {"b"}
    assert await damaged() == []


async def test_a_page_fails_if_the_engine_does_not_respond(
    engine: ManagedMemoryEngine, index: InstanceIndex, sweep: Sweep, listing: Listing
) -> None:
    """The instances do not count as damaged or gone."""
    engine.put("x")
    await sweep.round()
    engine.is_down = True

    with pytest.raises(EngineUnavailable):
        await listing.page(InstanceFilter(), 10)
    assert await indexed(index) == ["x"]


async def test_damaged_instances_are_not_purged_by_age(
    engine: ManagedMemoryEngine, sweep: Sweep, listing: Listing
) -> None:
    """Nobody knows whether they have really finished."""
    for name in ("a", "b", "c"):
        engine.put(name, RuntimeStatus.COMPLETED, age=timedelta(hours=1))
    await sweep.round()
    engine.damaged = {"a"}
    engine.put("b")  # started again

    due = [each.instance_id async for each in listing.finished_before(now())]

    assert due == ["c"]


# Filters by time


@pytest.fixture
async def by_time(index: InstanceIndex, engine: ManagedMemoryEngine) -> None:
    """Make instances whose ids and times are in opposite orders; pairs have the same time."""
    for number in range(20):
        at = START + SECOND * (9 - number // 2)
        instance = engine.put(f"i{number:02}", name=HELLO if number % 3 else ORDER)
        moved = instance.model_copy(update={"created_at": at, "last_updated_at": at})
        engine.instances[moved.instance_id] = moved
        await index.store.write([Entry.of(moved, now())])


@pytest.mark.usefixtures("by_time")
@pytest.mark.parametrize("limit", [1, 2, 3, 50])
async def test_a_list_with_times_is_sorted_by_creation(listing: Listing, limit: int) -> None:
    """It includes the first time and excludes the second, and its pages miss none."""
    wanted = InstanceFilter(created_from=START + 2 * SECOND, created_before=START + 5 * SECOND)
    found: list[str] = []
    after = None
    while True:
        page, after = await listing.page(wanted, limit, after)
        found.extend(each.instance_id for each in page)
        if after is None:
            break

    assert found == ["i14", "i15", "i12", "i13", "i10", "i11"]


@pytest.mark.usefixtures("by_time")
async def test_filters_by_time_and_others_are_combined(listing: Listing) -> None:
    """All of them must match."""
    assert await ids(listing, created_from=START + 8 * SECOND, name=ORDER) == ["i03", "i00"]
    failed = {"status": RuntimeStatus.FAILED, "created_before": START + 8 * SECOND}
    assert await ids(listing, **failed) == []


@pytest.mark.parametrize("position", ["", "i00", "9", "2026-03-01", "0001-01-01T00:00:00+14:00 x"])
async def test_positions_belong_to_their_list(listing: Listing, position: str) -> None:
    """One of a list by id, or one that was made up, is refused."""
    wanted = InstanceFilter(created_from=START)
    if position == "2026-03-01":
        assert await listing.page(wanted, 10, position) == ([], None)
        return
    with pytest.raises(UnknownPosition):
        await listing.page(wanted, 10, position)


@pytest.mark.parametrize("wanted", [InstanceFilter(), InstanceFilter(created_from=START)])
async def test_no_position_has_a_nul(listing: Listing, wanted: InstanceFilter) -> None:
    """PostgreSQL would fail."""
    with pytest.raises(UnknownPosition):
        await listing.page(wanted, 10, "2026-03-01 x\0")
