"""The table of the index of workflow instances."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Connection,
    Delete,
    Row,
    Select,
    Update,
    bindparam,
    delete,
    or_,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from orderflow_contracts.fields import Clock
from orderflow_hosting.database import Database
from orderflow_workflow_runtime.instances import FINISHED, RuntimeStatus
from orders.management.paging import by_id, page_query
from orders.management.records import Change, Entry, InstanceFilter, is_storable
from orders.management.tables import INSTANCES

_INSERT: Final[Mapping[str, Any]] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}
_C = INSTANCES.c
CLOCKS_APART: Final = timedelta(seconds=10)
"""The clocks of the processes may differ by this much."""


class InstanceStore:
    """The table. What is written replaces only what was known earlier.

    An entry from the future is replaced as well: a clock was wrong, then or now.
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def write(
        self,
        entries: Iterable[Entry] = (),
        changes: Iterable[Change] = (),
        gone: Mapping[str, datetime] | None = None,
        unreadable: Iterable[Entry] = (),
    ) -> None:
        """Record all of this in one transaction.

        `gone` has the ids of instances that did not exist at a time. Entries of `unreadable`
        instances are added if they are missing.
        """
        rows = [_values(entry) for entry in entries]
        changed = [_change(change) for change in changes]
        forgotten = [{"gone": key, "until": until} for key, until in (gone or {}).items()]
        unread = [_values(entry) for entry in unreadable]

        latest = self._clock() + CLOCKS_APART

        def work(connection: Connection) -> None:
            if rows:
                connection.execute(_upsert(connection, tuple(_C.keys()), latest), rows)
            if changed:
                connection.execute(_update(latest), changed)
            if forgotten:
                connection.execute(_delete(latest), forgotten)
            if unread:
                connection.execute(_upsert(connection, ("seen_at",), latest), unread)

        if rows or changed or forgotten or unread:
            await self._database.write(work, is_change=False)

    async def page(self, wanted: InstanceFilter, limit: int, after: str | None) -> list[Entry]:
        """Return up to `limit` matching entries after a position."""
        query = page_query(wanted, after).limit(limit)
        return await self._entries(query)

    async def finished_before(self, before: datetime, limit: int, after: str | None) -> list[Entry]:
        """Return up to `limit` entries, by id, of instances that had finished before a time."""
        query = select(INSTANCES).where(_C.is_finished, _C.last_updated_at < before)
        return await self._entries(by_id(query, after).limit(limit))

    async def unknown(self, ids: Sequence[str]) -> list[str]:
        """Return those of the ids that the index lacks."""
        wanted = [instance_id for instance_id in ids if is_storable(instance_id)]
        known = set(await self._ids(select(_C.instance_id).where(_C.instance_id.in_(wanted))))
        return [instance_id for instance_id in wanted if instance_id not in known]

    async def ids(
        self, limit: int, after: str | None, *, only_active: bool = False
    ) -> Sequence[str]:
        """Return up to `limit` ids, sorted."""
        query = by_id(select(_C.instance_id), after)
        return await self._ids(
            (query.where(~_C.is_finished) if only_active else query).limit(limit)
        )

    async def not_seen_since(
        self, moment: datetime, limit: int, *, is_finished: bool
    ) -> Sequence[str]:
        """Return the ids of the entries that were confirmed longest ago, before a time."""
        query = select(_C.instance_id).where(_C.is_finished == is_finished, _C.seen_at < moment)
        return await self._ids(query.order_by(_C.seen_at).limit(limit))

    async def _ids(self, query: Select[Any]) -> Sequence[str]:
        return await self._database.read(lambda connection: connection.scalars(query).all())

    async def _entries(self, query: Select[Any]) -> list[Entry]:
        return await self._database.read(
            lambda connection: [_entry(row) for row in connection.execute(query)]
        )


def _upsert(connection: Connection, replaced: Iterable[str], latest: datetime) -> Any:
    """Insert rows; of those that exist, replace these columns unless they were seen later."""
    statement = _INSERT[connection.dialect.name](INSTANCES)
    return statement.on_conflict_do_update(
        index_elements=[_C.instance_id],
        set_={name: statement.excluded[name] for name in replaced if name != "instance_id"},
        where=_is_older(statement.excluded.seen_at, latest),
    )


def _update(latest: datetime) -> Update:
    columns = (_C.status, _C.is_finished, _C.last_updated_at, _C.seen_at)
    return (
        update(INSTANCES)
        .where(_C.instance_id == bindparam("changed"))
        .where(_is_older(bindparam("new_seen_at", type_=_C.seen_at.type), latest))
        .values({column: bindparam(f"new_{column.name}") for column in columns})
    )


def _delete(latest: datetime) -> Delete:
    until = bindparam("until", type_=_C.seen_at.type)
    return delete(INSTANCES).where(_C.instance_id == bindparam("gone"), _is_older(until, latest))


def _is_older(seen_at: ColumnElement[datetime], latest: datetime) -> ColumnElement[bool]:
    return or_(_C.seen_at <= seen_at, _C.seen_at > latest)


def _values(entry: Entry) -> dict[str, Any]:
    status = entry.status
    return {**vars(entry), "status": status.value, "is_finished": status in FINISHED}


def _change(change: Change) -> dict[str, Any]:
    return {
        "changed": change.instance_id,
        "new_status": change.status.value,
        "new_is_finished": change.status in FINISHED,
        "new_last_updated_at": change.last_updated_at,
        "new_seen_at": change.seen_at,
    }


def _entry(row: Row[Any]) -> Entry:
    return Entry(
        instance_id=row.instance_id,
        name=row.name,
        status=RuntimeStatus(row.status),
        created_at=row.created_at,
        last_updated_at=row.last_updated_at,
        seen_at=row.seen_at,
    )
