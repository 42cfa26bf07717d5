"""What the board reads: orders found, how many there are of each status, and what was sold."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Row, Select, collate, exists, select

from orderflow_contracts.orders import OrderLine, OrderStatus
from orderflow_hosting.database import Database
from orderflow_hosting.pages import read_number
from orders.board_tables import COUNTS, LINES, LINES_LEFT, ORDERS, SALES, fill_lines
from orders.store import BATCH_ORDERS

LOOKED_THROUGH: Final = 1000
"""So many orders at most are looked at for one page, however few of them fit."""
FILLED_AT_ONCE: Final = 500
CLOCKS_APART: Final = timedelta(minutes=1)
"""So far the clocks of those who accepted orders may be apart."""
_AFTER_ALL_IDS: Final = "~"
"""Sorts after every character of an order's id."""


@dataclass(frozen=True)
class Wanted:
    """What orders are searched for: all that is not None must fit."""

    order_id: str | None = None
    customer_id: str | None = None
    item: str | None = None
    status: OrderStatus | None = None
    since: datetime | None = None
    until: datetime | None = None

    @property
    def is_anything(self) -> bool:
        """Whether every order fits."""
        return self == Wanted()


@dataclass(frozen=True)
class Listed:
    """An order as a list shows it."""

    number: int
    order_id: str
    customer_id: str
    lines: tuple[OrderLine, ...]
    status: OrderStatus
    reason: str | None
    total_cents: int | None
    created_at: datetime
    updated_at: datetime
    is_cancelled: bool


@dataclass(frozen=True)
class Found:
    """A page of orders, and the place to read on from, unless all was looked through."""

    orders: tuple[Listed, ...]
    next: str | None


class BoardStore:
    """The tables as the board reads them. What a reading costs does not grow with what is kept."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def counts(self) -> dict[OrderStatus, int]:
        """Tell how many orders have each status."""
        rows = await self._database.read(
            lambda connection: connection.execute(select(COUNTS)).all()
        )
        counts = {str(row.status): int(row.orders) for row in rows}
        return {status: counts.get(status.value, 0) for status in OrderStatus}

    async def sold(self) -> dict[str, int]:
        """Tell how many pieces of each item were sold."""
        query = select(SALES)
        rows = await self._database.read(lambda connection: connection.execute(query).all())
        return {str(row.item): int(row.pieces) for row in rows}

    async def search(self, wanted: Wanted, limit: int, after: str | None = None) -> Found:
        """Find so many orders: the newest first, or by id where a part of it is searched for.

        A page may have fewer orders, or none, and still be followed by another: no more than
        `LOOKED_THROUGH` are looked at for one. `after` is the place where the page before ended;
        raises ValueError for one that no search gave.
        """
        return await self._database.read(partial(_search, wanted=wanted, limit=limit, after=after))

    async def newest(self) -> int:
        """Tell the number of the newest order, 0 when there is none."""
        query = select(ORDERS.c.number).order_by(ORDERS.c.number.desc()).limit(1)
        return await self._database.read(lambda connection: connection.scalar(query)) or 0

    async def batch_of(self, order_id: str) -> str | None:
        """Name the batch that an order came with, if it came with one."""
        query = select(BATCH_ORDERS.c.batch_id).where(
            BATCH_ORDERS.c.order_id == order_id,
            BATCH_ORDERS.c.is_owner,
        )
        return await self._database.read(lambda connection: connection.scalar(query))

    async def cancel_requested_at(self, order_id: str) -> datetime | None:
        """Tell when it was asked to cancel an order, if it was."""
        query = select(ORDERS.c.cancel_requested_at).where(ORDERS.c.order_id == order_id)
        return await self._database.read(lambda connection: connection.scalar(query))

    async def is_whole(self) -> bool:
        """Tell whether a search by item finds the orders of an earlier version, too."""
        query = select(LINES_LEFT.c.through)
        return (await self._database.read(lambda connection: connection.scalar(query)) or 0) <= 0

    async def fill(self) -> None:
        """Write down the items of all orders of an earlier version, some at a time."""
        while await self._database.write(partial(fill_lines, most=FILLED_AT_ONCE)):
            pass


@dataclass(frozen=True)
class _Way:
    """The index along which orders are looked through, and what must fit beside it."""

    key: ColumnElement[Any]
    candidates: Select[Any]
    rest: tuple[ColumnElement[bool], ...]
    is_by_id: bool = False

    def query(self, limit: int) -> Select[Any]:
        some = self.window(limit).subquery()
        order = self.key.asc() if self.is_by_id else self.key.desc()
        query = select(ORDERS).join(some, some.c.number == ORDERS.c.number)
        return query.where(*self.rest).order_by(order).limit(limit + 1)

    def window(self, limit: int) -> Select[Any]:
        """Look at no more than are shown where all fit."""
        return self.candidates.limit(LOOKED_THROUGH if self.rest else limit + 1)

    def place(self, row: Row[Any]) -> str:
        return f"i{row.order_id}" if self.is_by_id else f"n{row.number}"


def _search(connection: Connection, wanted: Wanted, limit: int, after: str | None) -> Found:
    way = _way(connection, wanted, after)
    rows = connection.execute(way.query(limit)).all()
    orders = tuple(map(_listed, rows[:limit]))
    if len(rows) > limit:
        return Found(orders, way.place(rows[limit - 1]))
    if not way.rest:
        return Found(orders, None)
    looked_at = connection.execute(way.window(limit)).all()
    is_last = len(looked_at) < LOOKED_THROUGH
    return Found(orders, None if is_last else way.place(looked_at[-1]))


def _way(connection: Connection, wanted: Wanted, after: str | None) -> _Way:
    rest = dict(_fits(wanted))
    if wanted.order_id is not None:
        return _by_id(connection, wanted.order_id, tuple(rest.values()), after)
    by = _most_telling(connection, wanted)
    first = None if by is None else rest.pop(by)
    number = ORDERS.c.number
    if by == "item":
        number, first = LINES.c.number, LINES.c.item == wanted.item
    candidates = select(number) if first is None else select(number).where(first)
    candidates = candidates.where(*_between(connection, wanted, number, after))
    return _Way(ORDERS.c.number, candidates.order_by(number.desc()), tuple(rest.values()))


def _fits(wanted: Wanted) -> Iterable[tuple[str, ColumnElement[bool]]]:
    if wanted.customer_id is not None:
        yield "customer_id", ORDERS.c.customer_id == wanted.customer_id
    if wanted.status is not None:
        yield "status", ORDERS.c.status == wanted.status.value
    if wanted.item is not None:
        has_item = exists().where(LINES.c.item == wanted.item, LINES.c.number == ORDERS.c.number)
        yield "item", has_item
    if wanted.since is not None:
        yield "since", ORDERS.c.created_at >= wanted.since
    if wanted.until is not None:
        yield "until", ORDERS.c.created_at < wanted.until


def _most_telling(connection: Connection, wanted: Wanted) -> str | None:
    """Choose the index that leads to the fewest orders that do not fit."""
    if wanted.status is not None:
        query = select(COUNTS.c.orders).where(COUNTS.c.status == wanted.status.value)
        if (connection.scalar(query) or 0) <= LOOKED_THROUGH:
            return "status"
    for name in ("item", "customer_id", "status"):
        if getattr(wanted, name) is not None:
            return name
    return None


def _by_id(
    connection: Connection, part: str, rest: tuple[ColumnElement[bool], ...], after: str | None
) -> _Way:
    """Look along the ids, compared by their bytes, as SQLite does anyway."""
    key: ColumnElement[Any] = ORDERS.c.order_id
    if connection.dialect.name == "postgresql":
        key = collate(key, "C")
    candidates = select(ORDERS.c.number, ORDERS.c.order_id)
    candidates = candidates.where(key >= part, key < f"{part}{_AFTER_ALL_IDS}")
    if after is not None:
        candidates = candidates.where(key > _read_place("i", after))
    return _Way(key, candidates.order_by(key), rest, is_by_id=True)


def _between(
    connection: Connection, wanted: Wanted, number: ColumnElement[int], after: str | None
) -> Iterable[ColumnElement[bool]]:
    """Bound the numbers by the times: orders are numbered as they are accepted."""
    at = ORDERS.c.created_at
    if wanted.since is not None:
        first = select(ORDERS.c.number).where(at >= wanted.since - CLOCKS_APART).order_by(at)
        yield number >= (connection.scalar(first.limit(1)) or 2**63 - 1)
    if wanted.until is not None:
        last = select(ORDERS.c.number).where(at < wanted.until + CLOCKS_APART).order_by(at.desc())
        yield number <= (connection.scalar(last.limit(1)) or 0)
    if after is not None:
        yield number < int(_read_place("n", after))


def _read_place(kind: str, place: str) -> str:
    if not place.startswith(kind) or (kind == "n" and read_number(place[1:]) is None):
        raise ValueError("is not a place in this list")
    return place[1:]


def _listed(row: Row[Any]) -> Listed:
    return Listed(
        number=row.number,
        order_id=row.order_id,
        customer_id=row.customer_id,
        lines=tuple(OrderLine.model_validate(line) for line in row.lines),
        status=OrderStatus(row.status),
        reason=row.reason,
        total_cents=row.total_cents,
        created_at=row.created_at,
        updated_at=row.updated_at,
        is_cancelled=row.cancel_requested_at is not None,
    )
