"""The index of workflow instances: what is observed, and which knowledge replaces which."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest

from fakes.pauses import short_pause
from fakes.schemas import FromModels
from fakes.waiting import until
from orderflow_contracts.fields import now
from orderflow_hosting.database import Database, DatabaseClosed
from orderflow_workflow_runtime.instances import RuntimeStatus
from orders.management.index import AHEAD, InstanceIndex, keep_writing
from orders.management.records import LONGEST_ID, LONGEST_NAME, Entry, InstanceFilter
from orders.tables import TABLES

HELLO = "interactive_hello_workflow"
AT = datetime(2026, 3, 1, tzinfo=UTC)
SECOND = timedelta(seconds=1)
LATER = AT + SECOND


async def entries(index: InstanceIndex) -> dict[str, Entry]:
    await index.flush()
    return {e.instance_id: e for e in await index.store.page(InstanceFilter(), 500, None)}


async def statuses(index: InstanceIndex) -> dict[str, RuntimeStatus]:
    return {key: entry.status for key, entry in (await entries(index)).items()}


def entry(status: RuntimeStatus, seen_at: datetime, instance_id: str = "x") -> Entry:
    return Entry(
        instance_id=instance_id,
        name=HELLO,
        status=status,
        created_at=AT,
        last_updated_at=AT,
        seen_at=seen_at,
    )


async def test_the_start_and_the_end_of_an_instance_are_recorded(index: InstanceIndex) -> None:
    """The entry has its name and both times, whether they are written together or not."""
    index.started("together", HELLO, AT)
    index.became("together", RuntimeStatus.COMPLETED, LATER)
    index.started("apart", HELLO, AT)
    await index.flush()
    index.became("apart", RuntimeStatus.COMPLETED, LATER)

    recorded = await entries(index)

    assert recorded.keys() == {"together", "apart"}
    for each in recorded.values():
        assert (each.name, each.status) == (HELLO, RuntimeStatus.COMPLETED)
        assert (each.created_at, each.last_updated_at) == (AT, LATER)


@pytest.mark.parametrize("order", list(permutations(range(3))))
@pytest.mark.parametrize("flushed", [False, True])
async def test_the_latest_observation_counts_in_whatever_order_they_come(
    index: InstanceIndex, order: tuple[int, ...], *, flushed: bool
) -> None:
    """Management records a start after the worker may have seen the end."""
    index.started("x", HELLO, AT - SECOND)
    await index.flush()
    observations = (
        lambda: index.started("x", HELLO, AT),
        lambda: index.became("x", RuntimeStatus.SUSPENDED, AT + SECOND),
        lambda: index.became("x", RuntimeStatus.TERMINATED, AT + 2 * SECOND),
    )
    for number in order:
        observations[number]()
        if flushed:
            await index.flush()

    assert await statuses(index) == {"x": RuntimeStatus.TERMINATED}


async def test_the_end_of_an_unknown_instance_adds_no_entry(index: InstanceIndex) -> None:
    """Its name is not known; the sweep adds it."""
    index.became("x", RuntimeStatus.COMPLETED, AT)

    assert await entries(index) == {}


async def test_an_id_is_used_again(index: InstanceIndex) -> None:
    """The entry is that of the new instance."""
    index.started("x", HELLO, AT)
    index.became("x", RuntimeStatus.COMPLETED, LATER)
    await index.flush()
    index.started("x", "another_workflow", AT + 2 * SECOND)

    (recorded,) = (await entries(index)).values()

    assert (recorded.name, recorded.status) == ("another_workflow", RuntimeStatus.RUNNING)
    assert recorded.created_at == AT + 2 * SECOND


async def test_a_read_that_began_before_the_end_was_stored_does_not_replace_it(
    index: InstanceIndex,
) -> None:
    """The engine stores the end a moment after the worker has sent it."""
    moment = now()
    index.started("x", HELLO, moment)
    index.became("x", RuntimeStatus.COMPLETED, moment)
    await index.flush()

    await index.store.write([entry(RuntimeStatus.RUNNING, moment + AHEAD / 2)])
    assert await statuses(index) == {"x": RuntimeStatus.COMPLETED}

    await index.store.write([entry(RuntimeStatus.RUNNING, moment + AHEAD)])
    assert await statuses(index) == {"x": RuntimeStatus.RUNNING}


async def test_an_entry_from_the_future_is_replaced(index: InstanceIndex) -> None:
    """A clock that was ahead for a while does not freeze the entries written meanwhile."""
    tomorrow = now() + timedelta(days=1)
    ids = ("written", "changed", "gone")
    await index.store.write([entry(RuntimeStatus.RUNNING, tomorrow, key) for key in ids])

    await index.store.write([entry(RuntimeStatus.FAILED, now(), "written")], gone={"gone": now()})
    index.became("changed", RuntimeStatus.FAILED, now())

    assert await statuses(index) == dict.fromkeys(("written", "changed"), RuntimeStatus.FAILED)


async def test_a_purged_instance_is_forgotten(index: InstanceIndex) -> None:
    """What was observed of it before does not bring it back."""
    index.started("x", HELLO, now())
    index.became("x", RuntimeStatus.COMPLETED, now())

    await index.forget("x")

    assert await entries(index) == {}


async def test_what_cannot_be_written_is_kept(tmp_path: Path) -> None:
    """It is combined with what is observed meanwhile."""
    database = Database(f"sqlite:///{tmp_path}/closed.db", FromModels(TABLES))
    index = InstanceIndex(database)
    index.started("x", HELLO, AT)
    database.close()
    with pytest.raises(DatabaseClosed):
        await index.flush()
    index.became("x", RuntimeStatus.COMPLETED, LATER)

    with Database(f"sqlite:///{tmp_path}/closed.db", FromModels(TABLES)) as again:
        index.store = InstanceIndex(again).store
        recorded = await entries(index)

    assert (recorded["x"].name, recorded["x"].status) == (HELLO, RuntimeStatus.COMPLETED)


@pytest.fixture
async def writing(index: InstanceIndex) -> AsyncIterator["asyncio.Task[None]"]:
    task = asyncio.create_task(keep_writing(index, short_pause))
    yield task
    task.cancel()


@pytest.mark.usefixtures("writing")
async def test_observations_are_written_without_a_list(index: InstanceIndex) -> None:
    """Lists of other processes need them, too."""
    index.started("x", HELLO, AT)

    async def is_written() -> bool:
        return list(await index.store.ids(10, None)) == ["x"]

    await until(is_written)


async def test_odd_ids_and_names_fail_nothing(index: InstanceIndex) -> None:
    """Anyone with access to the sidecar can choose them; not every database could store them."""
    for odd in ("n\0l", "x" * (LONGEST_ID + 1)):
        index.started(odd, HELLO, AT)
        index.became(odd, RuntimeStatus.COMPLETED, LATER)
    index.started("named", "n\0" + "x" * 9_999, AT)
    index.started("", "", AT)

    recorded = await entries(index)

    assert recorded.keys() == {"named", ""}
    assert recorded["named"].name == "n\N{REPLACEMENT CHARACTER}" + "x" * (LONGEST_NAME - 2)
    odd_filter: dict[str, Any] = {"name": "n\0" + "x" * 9_999}
    found = await index.store.page(InstanceFilter(**odd_filter), 9, None)
    assert [each.instance_id for each in found] == ["named"]
