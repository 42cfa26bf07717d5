"""The sweep: the index comes to agree with the engine, whatever was missed."""

import asyncio
from datetime import timedelta

import pytest

from fakes.managed_engine import ManagedMemoryEngine
from fakes.pauses import short_pause
from fakes.waiting import until
from orderflow_contracts.fields import now
from orderflow_workflow_runtime.instances import RuntimeStatus
from orders.management import sweeping
from orders.management.index import InstanceIndex
from orders.management.records import UNNAMED, Entry, InstanceFilter
from orders.management.sweeping import ACTIVE_AGE, FINISHED_AGE, PAUSE_SECONDS, Sweep


@pytest.fixture
def engine() -> ManagedMemoryEngine:
    return ManagedMemoryEngine()


@pytest.fixture
def sweep(engine: ManagedMemoryEngine, index: InstanceIndex) -> Sweep:
    return Sweep(engine, index, sleep=short_pause)


async def indexed(index: InstanceIndex) -> dict[str, RuntimeStatus]:
    entries = await index.store.page(InstanceFilter(), 500, None)
    return {entry.instance_id: entry.status for entry in entries}


async def put_entry(
    index: InstanceIndex, engine: ManagedMemoryEngine, instance_id: str, age: timedelta
) -> None:
    """Record an instance as it was this long ago."""
    entry = Entry.of(engine.instances[instance_id], now() - age)
    await index.store.write([entry])


async def test_instances_of_an_earlier_version_are_added(
    engine: ManagedMemoryEngine, index: InstanceIndex, sweep: Sweep
) -> None:
    """Every one of them, with its name and status."""
    for number in range(40):
        engine.put(f"i{number:02}", RuntimeStatus.FAILED if number % 2 else RuntimeStatus.RUNNING)

    await sweep.round()

    assert await indexed(index) == {
        key: instance.runtime_status for key, instance in engine.instances.items()
    }


async def test_a_round_reads_what_it_does_not_know(
    engine: ManagedMemoryEngine, sweep: Sweep
) -> None:
    """Known instances that were confirmed recently cost nothing."""
    for number in range(40):
        engine.put(f"i{number:02}")
    await sweep.round()
    engine.put("new")
    engine.read.clear()

    await sweep.round()

    assert engine.read == ["new"]


async def test_instances_that_the_engine_has_purged_are_removed(
    engine: ManagedMemoryEngine, index: InstanceIndex, sweep: Sweep
) -> None:
    """Each is looked up first: it may have started after the ids were listed."""
    for name in ("a", "b", "c"):
        engine.put(name)
    await sweep.round()
    del engine.instances["b"]
    index.started("d", "interactive_hello_workflow", now())

    await sweep.round()

    assert list(await indexed(index)) == ["a", "c", "d"]


@pytest.mark.parametrize(
    ("known_as", "age"),
    [(RuntimeStatus.RUNNING, ACTIVE_AGE), (RuntimeStatus.COMPLETED, FINISHED_AGE)],
)
async def test_old_entries_are_read_again(
    engine: ManagedMemoryEngine,
    index: InstanceIndex,
    sweep: Sweep,
    known_as: RuntimeStatus,
    age: timedelta,
) -> None:
    """Active ones may have ended unobserved, and finished ones may have been replaced."""
    for name in ("old", "recent"):
        engine.put(name, known_as)
    await put_entry(index, engine, "old", 1.1 * age)
    await put_entry(index, engine, "recent", 0.9 * age)
    for name in ("old", "recent"):
        engine.put(name, RuntimeStatus.FAILED)

    await sweep.round()

    assert await indexed(index) == {"old": RuntimeStatus.FAILED, "recent": known_as}


async def test_a_round_reads_a_limited_number_of_old_entries(
    engine: ManagedMemoryEngine,
    index: InstanceIndex,
    sweep: Sweep,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The oldest come first, and each has its turn."""
    monkeypatch.setattr(sweeping, "MOST_ACTIVE", 3)
    for number in range(7):
        engine.put(f"i{number}")
        await put_entry(index, engine, f"i{number}", timedelta(hours=number + 1))

    rounds = []
    for _ in range(4):
        engine.read.clear()
        await sweep.round()
        rounds.append(sorted(engine.read))

    assert rounds == [["i4", "i5", "i6"], ["i1", "i2", "i3"], ["i0"], []]


async def test_the_first_sweep_reads_all_active_instances(
    engine: ManagedMemoryEngine, index: InstanceIndex, sweep: Sweep
) -> None:
    """How they ended may have been lost with a killed process, however recently."""
    for name in ("done", "ended", "runs"):
        engine.put(name, RuntimeStatus.COMPLETED if name == "done" else RuntimeStatus.RUNNING)
        await put_entry(index, engine, name, timedelta(seconds=1))
    engine.put("ended", RuntimeStatus.COMPLETED)
    engine.read.clear()

    await sweep.catch_up()

    assert sorted(engine.read) == ["ended", "runs"]
    assert (await indexed(index))["ended"] is RuntimeStatus.COMPLETED


async def test_damaged_instances_stay_in_the_index(
    engine: ManagedMemoryEngine, index: InstanceIndex, sweep: Sweep
) -> None:
    """With what was known of them, if anything was; each is tried again once a minute."""
    engine.put("known")
    await put_entry(index, engine, "known", 2 * ACTIVE_AGE)
    engine.put("unknown")
    engine.damaged = {"known", "unknown"}

    await sweep.round()
    await sweep.round()

    entries = {e.instance_id: e for e in await index.store.page(InstanceFilter(), 9, None)}
    known, unknown = entries["known"], entries["unknown"]
    assert (known.name, known.status) == ("interactive_hello_workflow", RuntimeStatus.RUNNING)
    assert (unknown.name, unknown.status) == (UNNAMED, RuntimeStatus.UNKNOWN)
    assert sorted(engine.read) == ["known", "unknown"]


async def test_ids_that_not_every_database_can_store_are_left_out(
    engine: ManagedMemoryEngine, index: InstanceIndex, sweep: Sweep
) -> None:
    """Only those who use the engine directly can choose them."""
    for name in ("a", "n\0l", "x" * 5_000):
        engine.put(name)

    await sweep.round()
    await sweep.round()

    assert list(await indexed(index)) == ["a"]
    assert engine.read == ["a"]


async def test_sweeping_waits_for_the_engine_and_goes_on(
    engine: ManagedMemoryEngine, index: InstanceIndex
) -> None:
    """Rounds are half a minute apart; a failed one is repeated."""
    pauses: list[float] = []

    async def pause(seconds: float) -> None:
        pauses.append(seconds)
        engine.is_down = len(pauses) < 3
        await short_pause(seconds)

    engine.put("x")
    engine.is_down = True
    task = asyncio.create_task(Sweep(engine, index, sleep=pause).keep_sweeping())
    await until(lambda: pauses.count(PAUSE_SECONDS) == 2)
    task.cancel()

    assert list(await indexed(index)) == ["x"]
