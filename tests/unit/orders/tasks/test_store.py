"""The table of tasks: each id and each end is recorded once."""

from datetime import UTC, datetime

import pytest

from orderflow_contracts.tasks import TaskStatus
from orderflow_hosting.database import Database
from orders.tasks.store import TaskStore

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
FINAL = [status for status in TaskStatus if status.is_final]


@pytest.fixture
def tasks(database: Database) -> TaskStore:
    return TaskStore(database)


async def test_a_task_belongs_to_the_first_instance(tasks: TaskStore) -> None:
    """Another instance gets the owner, and changes nothing."""
    first = await tasks.receive("t1", "i1", "Sweep")

    assert await tasks.receive("t1", "i2", "Other") == first
    assert await tasks.task("t1") == first
    assert (first.instance_id, first.status, first.assignee) == ("i1", "received", "")


async def test_a_task_is_assigned_once(tasks: TaskStore) -> None:
    """The first assignee stays."""
    await tasks.receive("t1", "i1", "Sweep")

    assert (await tasks.assign("t1", "ann", ["bob"])).assignee == "ann"
    assert (await tasks.assign("t1", "bob", ["bob"])).assignee == "ann"


async def test_the_picker_with_the_fewest_open_tasks_is_chosen(tasks: TaskStore) -> None:
    """Ended tasks and tasks of others do not count."""
    for number in range(5):
        await tasks.receive(f"t{number}", f"i{number}", "Sweep")
    await tasks.assign("t0", "ann", [])
    chosen = [(await tasks.assign(f"t{number}", "", ["ann", "bob"])).assignee for number in (1, 2)]
    await tasks.end("t1", TaskStatus.COMPLETED, AT)
    chosen += [(await tasks.assign(f"t{number}", "", ["ann", "bob"])).assignee for number in (3, 4)]

    assert chosen == ["bob", "ann", "bob", "bob"]


@pytest.mark.parametrize("first", FINAL)
async def test_the_first_end_stays(tasks: TaskStore, first: TaskStatus) -> None:
    """No other end or assignment is recorded afterwards."""
    await tasks.receive("t1", "i1", "Sweep")
    ended = await tasks.end("t1", first, AT)

    for status in FINAL:
        assert await tasks.end("t1", status) == ended
    assert await tasks.assign("t1", "ann", []) == ended
    assert (ended.status, ended.completed_at) == (first, AT)


async def test_tasks_are_listed_newest_first(tasks: TaskStore) -> None:
    """By status, with a limit, and from a position."""
    for task_id in ("t1", "t2", "t3"):
        await tasks.receive(task_id, "i", "Sweep")
    await tasks.end("t2", TaskStatus.FAILED)

    listed = await tasks.tasks(None, 2, None)
    rest = await tasks.tasks(None, 9, listed[-1][0])
    opened = await tasks.tasks(TaskStatus.RECEIVED, 9, None)

    assert [task.task_id for _, task in listed] == ["t3", "t2"]
    assert [task.task_id for _, task in rest] == ["t1"]
    assert [task.task_id for _, task in opened] == ["t3", "t1"]
    assert await tasks.task("t4") is None
