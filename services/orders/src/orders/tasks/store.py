"""The table of tasks: each is stored once, under the first workflow instance that has it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import (
    Column,
    Connection,
    Index,
    Integer,
    Row,
    String,
    Table,
    bindparam,
    func,
    insert,
    select,
    update,
)

from orderflow_contracts.fields import Clock, now
from orderflow_contracts.tasks import OPEN_STATUSES, Task, TaskStatus
from orderflow_hosting.database import Database, Utc
from orders.tables import TABLES

_tasks = Table(
    "tasks",
    TABLES,
    Column("number", Integer, primary_key=True),
    Column("task_id", String(80), nullable=False, unique=True),
    Column("instance_id", String(200), nullable=False),
    Column("title", String(200), nullable=False),
    Column("assignee", String(128), nullable=False),
    Column("order_id", String(64)),
    Column("status", String(16), nullable=False),
    Column("created_at", Utc, nullable=False),
    Column("updated_at", Utc, nullable=False),
    Column("completed_at", Utc),
    Index("tasks_by_status", "status", "number"),
)

_OPEN: Final = [status.value for status in OPEN_STATUSES]


class TaskStore:
    """The table of tasks. Every method is one transaction and is idempotent."""

    def __init__(self, database: Database, clock: Clock = now) -> None:
        self._database = database
        self._clock = clock

    async def receive(
        self,
        task_id: str,
        instance_id: str,
        title: str,
        *,
        order_id: str | None = None,
        status: TaskStatus = TaskStatus.RECEIVED,
    ) -> Task:
        """Store a task unless its id is known; return the stored task."""

        def work(connection: Connection) -> Task:
            known = _find(connection, task_id)
            if known is not None:
                return known
            at = self._clock()
            values = {
                "task_id": task_id,
                "instance_id": instance_id,
                "title": title,
                "assignee": "",
                "order_id": order_id,
                "status": status.value,
                "created_at": at,
                "updated_at": at,
            }
            connection.execute(insert(_tasks), values)
            return _found(connection, task_id)

        return await self._database.write(work)

    async def assign(self, task_id: str, assignee: str, pickers: Sequence[str]) -> Task:
        """Assign a task unless it is assigned or has ended.

        Without an assignee, the picker with the fewest open tasks gets it; in a tie, the first one.
        """

        def work(connection: Connection) -> Task:
            task = _found(connection, task_id)
            if task.status is not TaskStatus.RECEIVED:
                return task
            chosen = assignee or _least_busy(connection, pickers)
            return _move(connection, task_id, TaskStatus.ASSIGNED, self._clock(), assignee=chosen)

        return await self._database.write(work)

    async def end(
        self, task_id: str, status: TaskStatus, completed_at: datetime | None = None
    ) -> Task:
        """Record how a task ended and return it. A later end changes nothing."""

        def work(connection: Connection) -> Task:
            task = _found(connection, task_id)
            if task.status.is_final:
                return task
            return _move(connection, task_id, status, self._clock(), completed_at=completed_at)

        return await self._database.write(work)

    async def task(self, task_id: str) -> Task | None:
        """Return a task, or None."""
        query = select(_tasks).where(_tasks.c.task_id == task_id)
        row = await self._database.read(lambda connection: connection.execute(query).one_or_none())
        return None if row is None else _task(row)

    async def known(self, task_ids: Sequence[str]) -> set[str]:
        """Return which of these tasks, at most a thousand, are stored."""
        query = select(_tasks.c.task_id).where(_tasks.c.task_id.in_(task_ids))
        return set(await self._database.read(lambda connection: connection.scalars(query).all()))

    async def tasks(
        self, status: TaskStatus | None, limit: int, before: int | None, *, is_open: bool = False
    ) -> list[tuple[int, Task]]:
        """Return tasks, newest first, each with its number: all, by status, or the open ones."""
        query = select(_tasks).order_by(_tasks.c.number.desc()).limit(limit)
        if status is not None:
            query = query.where(_tasks.c.status == status.value)
        elif is_open:
            query = query.where(_tasks.c.status.in_(_OPEN))
        if before is not None:
            query = query.where(_tasks.c.number < before)
        rows = await self._database.read(lambda connection: connection.execute(query).all())
        return [(row.number, _task(row)) for row in rows]


_SELECT_TASK = select(_tasks).where(_tasks.c.task_id == bindparam("task_id"))


def _find(connection: Connection, task_id: str) -> Task | None:
    row = connection.execute(_SELECT_TASK, {"task_id": task_id}).one_or_none()
    return None if row is None else _task(row)


def _found(connection: Connection, task_id: str) -> Task:
    return _task(connection.execute(_SELECT_TASK, {"task_id": task_id}).one())


def _move(
    connection: Connection, task_id: str, status: TaskStatus, at: datetime, **values: Any
) -> Task:
    change = update(_tasks).where(_tasks.c.task_id == task_id)
    connection.execute(change.values(status=status.value, updated_at=at, **values))
    return _found(connection, task_id)


def _least_busy(connection: Connection, pickers: Sequence[str]) -> str:
    query = (
        select(_tasks.c.assignee, func.count())
        .where(_tasks.c.assignee.in_(pickers), _tasks.c.status.in_(_OPEN))
        .group_by(_tasks.c.assignee)
    )
    busy = {row[0]: row[1] for row in connection.execute(query)}
    return min(pickers, key=lambda picker: busy.get(picker, 0))


def _task(row: Row[Any]) -> Task:
    return Task.model_validate(row, from_attributes=True)
