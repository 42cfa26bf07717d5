"""The search of the board: each query scans one index, and examines a limited number of orders."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Row, Select, and_, exists, or_, select, union

from orderflow_contracts.orders import OrderLine, OrderStatus
from orderflow_hosting.folding import fold
from orderflow_hosting.pages import read_number
from orderflow_hosting.spellings import any_case, is_any, spellings
from orders.board.tables import COUNTS, LINES
from orders.tables import ACCESS, CUSTOMER, ITEM, ORDERS

LOOKED_THROUGH: Final = 1000
"""The most orders examined for one page, however few of them match."""
CLOCKS_APART: Final = timedelta(minutes=1)
"""The clocks of the processes that accept orders may differ by this much."""
_AFTER_ALL_IDS: Final = "~"
"""Sorts after every character of an order's id."""


@dataclass(frozen=True)
class OrderFilter:
    """The filters of a search. Every filter that is not None must match, in any spelling."""

    order_id: str | None = None
    customer_id: str | None = None
    item: str | None = None
    status: OrderStatus | None = None
    since: datetime | None = None
    until: datetime | None = None

    @property
    def is_anything(self) -> bool:
        """Whether every order matches."""
        return self == OrderFilter()


@dataclass(frozen=True)
class ListedOrder:
    """An order in a list."""

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
class OrderPage:
    """A page of orders, and the position to continue from, unless all orders were searched."""

    orders: tuple[ListedOrder, ...]
    next: str | None


@dataclass(frozen=True)
class _IndexScan:
    """The index by which orders are scanned, and the conditions beside it."""

    order: tuple[ColumnElement[Any], ...]
    candidates: Callable[[int], Select[Any]]
    rest: tuple[ColumnElement[bool], ...]
    is_by_id: bool = False

    def query(self, limit: int) -> Select[Any]:
        some = self.window(limit).subquery()
        query = select(ORDERS).join(some, some.c.number == ORDERS.c.number)
        return query.where(*self.rest).order_by(*self.order).limit(limit + 1)

    def window(self, limit: int) -> Select[Any]:
        """Examine no more orders than are shown where all match."""
        return self.candidates(LOOKED_THROUGH if self.rest else limit + 1)

    def position(self, row: Row[Any]) -> str:
        return f"i{row.order_id}" if self.is_by_id else f"n{row.number}"


def search_within(
    connection: Connection, wanted: OrderFilter, limit: int, after: str | None
) -> OrderPage:
    """Do what `BoardStore.search` does, as a part of a transaction."""
    scan = _scan(connection, wanted, after)
    rows = connection.execute(scan.query(limit)).all()
    orders = tuple(map(_listed, rows[:limit]))
    if len(rows) > limit:
        return OrderPage(orders, scan.position(rows[limit - 1]))
    if not scan.rest:
        return OrderPage(orders, None)
    looked_at = connection.execute(scan.window(limit)).all()
    is_last = len(looked_at) < LOOKED_THROUGH
    return OrderPage(orders, None if is_last else scan.position(looked_at[-1]))


def _scan(connection: Connection, wanted: OrderFilter, after: str | None) -> _IndexScan:
    names = _names(connection, wanted)
    rest = dict(_fits(wanted, names))
    if wanted.order_id is not None:
        return _by_id(connection, wanted.order_id, tuple(rest.values()), after)
    by = _most_selective(connection, wanted)
    leads: list[ColumnElement[bool]] = []
    number = ORDERS.c.number
    if by == "item":
        number, leads = LINES.c.number, [LINES.c.item == name for name in names["item"]]
    elif by == "customer_id":
        leads = [ORDERS.c.customer_id == name for name in names["customer_id"]]
    elif by is not None:
        leads = [rest[by]]
    rest.pop(by or "", None)
    bounds = tuple(_between(connection, wanted, number, after))
    candidates = partial(_newest, number, leads, bounds)
    return _IndexScan((ORDERS.c.number.desc(),), candidates, tuple(rest.values()))


def _newest(
    number: ColumnElement[int],
    leads: Sequence[ColumnElement[bool]],
    bounds: Sequence[ColumnElement[bool]],
    most: int,
) -> Select[Any]:
    """Scan an index with one condition, or with each of several, newest first."""
    newest = select(number).where(*bounds).order_by(number.desc()).limit(most)
    if len(leads) <= 1:
        return newest.where(*leads)
    each = (newest.where(lead).subquery() for lead in leads)
    together = union(*(select(window.c.number) for window in each)).subquery()
    return select(together.c.number).order_by(together.c.number.desc()).limit(most)


def _names(connection: Connection, wanted: OrderFilter) -> Mapping[str, Sequence[str]]:
    """Return all spellings of the names in a search."""
    kinds = (("customer_id", CUSTOMER, wanted.customer_id), ("item", ITEM, wanted.item))
    return {
        field: spellings(connection, ACCESS.spellings, kind, name)
        for field, kind, name in kinds
        if name is not None
    }


def _fits(
    wanted: OrderFilter, names: Mapping[str, Sequence[str]]
) -> Iterable[tuple[str, ColumnElement[bool]]]:
    if wanted.customer_id is not None:
        yield "customer_id", is_any(ORDERS.c.customer_id, names["customer_id"])
    if wanted.status is not None:
        yield "status", ORDERS.c.status == wanted.status.value
    if wanted.item is not None:
        is_item = is_any(LINES.c.item, names["item"])
        yield "item", exists().where(is_item, LINES.c.number == ORDERS.c.number)
    if wanted.since is not None:
        yield "since", ORDERS.c.created_at >= wanted.since
    if wanted.until is not None:
        yield "until", ORDERS.c.created_at < wanted.until


def _most_selective(connection: Connection, wanted: OrderFilter) -> str | None:
    """Choose the most selective index."""
    if wanted.status is not None:
        query = select(COUNTS.c.orders).where(COUNTS.c.status == wanted.status.value)
        if (connection.scalar(query) or 0) <= LOOKED_THROUGH:
            return "status"
    for name in ("item", "customer_id", "status"):
        if getattr(wanted, name) is not None:
            return name
    return None


def _by_id(
    connection: Connection, typed: str, rest: tuple[ColumnElement[bool], ...], after: str | None
) -> _IndexScan:
    """Scan the ids, ignoring case."""
    key, order_id, part = any_case(connection, ORDERS.c.order_id), ORDERS.c.order_id, fold(typed)
    candidates = select(ORDERS.c.number, order_id)
    candidates = candidates.where(key >= part, key < f"{part}{_AFTER_ALL_IDS}")
    if after is not None:
        position = _read_position("i", after)
        beyond = or_(key > fold(position), order_id > position)
        candidates = candidates.where(and_(key >= fold(position), beyond))
    candidates = candidates.order_by(key, order_id)
    return _IndexScan((key, order_id), candidates.limit, rest, is_by_id=True)


def _between(
    connection: Connection, wanted: OrderFilter, number: ColumnElement[int], after: str | None
) -> Iterable[ColumnElement[bool]]:
    """Bound the numbers by the times, since orders are numbered as they are accepted."""
    at = ORDERS.c.created_at
    if wanted.since is not None:
        first = select(ORDERS.c.number).where(at >= wanted.since - CLOCKS_APART).order_by(at)
        yield number >= (connection.scalar(first.limit(1)) or 2**63 - 1)
    if wanted.until is not None:
        last = select(ORDERS.c.number).where(at < wanted.until + CLOCKS_APART).order_by(at.desc())
        yield number <= (connection.scalar(last.limit(1)) or 0)
    if after is not None:
        yield number < int(_read_position("n", after))


def _read_position(kind: str, position: str) -> str:
    is_position = "\0" not in position if kind == "i" else read_number(position[1:]) is not None
    if not position.startswith(kind) or not is_position:
        raise ValueError("is not a position in this list")
    return position[1:]


def _listed(row: Row[Any]) -> ListedOrder:
    return ListedOrder(
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
