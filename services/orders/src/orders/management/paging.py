"""The queries that read a list page by page: each follows one index."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, literal, select, tuple_

from orders.management.errors import UnknownPosition
from orders.management.records import Entry, InstanceFilter, storable_name
from orders.management.tables import INSTANCES

_C: Final = INSTANCES.c


def page_query(wanted: InstanceFilter, after: str | None) -> Select[Any]:
    """Select a list from a position on. Raises `UnknownPosition` for one of another list."""
    if after is not None and "\0" in after:
        raise UnknownPosition(after)
    query = select(INSTANCES).where(*_conditions(wanted))
    if not wanted.is_by_time:
        return by_id(query, after)
    if after is not None:
        query = query.where(tuple_(_C.created_at, _C.instance_id) > _moment_and_id(after))
    return query.order_by(_C.created_at, _C.instance_id)


def position_of(wanted: InstanceFilter, entry: Entry) -> str:
    """Return the position after an entry of a list."""
    if wanted.is_by_time:
        return f"{entry.created_at.isoformat()} {entry.instance_id}"
    return entry.instance_id


def _moment_and_id(position: str) -> ColumnElement[Any]:
    at, _, instance_id = position.partition(" ")
    try:
        created_at = datetime.fromisoformat(at).astimezone(UTC)
    except (ValueError, OverflowError):
        raise UnknownPosition(position) from None
    return tuple_(literal(created_at, _C.created_at.type), literal(instance_id))


def by_id(query: Select[Any], after: str | None) -> Select[Any]:
    """Sort by id, and continue after one."""
    query = query.order_by(_C.instance_id)
    return query if after is None else query.where(_C.instance_id > after)


def _conditions(wanted: InstanceFilter) -> Iterable[ColumnElement[bool]]:
    if wanted.status is not None:
        yield _C.status == wanted.status.value
    if wanted.name is not None:
        yield _C.name == storable_name(wanted.name)
    if wanted.created_from is not None:
        yield _C.created_at >= wanted.created_from
    if wanted.created_before is not None:
        yield _C.created_at < wanted.created_before
