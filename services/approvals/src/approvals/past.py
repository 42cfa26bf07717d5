"""Searches what was decided, has expired or was withdrawn: the latest first, page by page.

What a page costs does not grow with what is stored. An index leads along one condition, and the
others are looked for among a limited number of rows; from where that ended, the next page goes on.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Column, ColumnElement, Connection, Row, and_, or_, select

from approvals.domain import Case
from approvals.tables import ACCESS, APPROVALS, APPROVER, COLUMNS, CUSTOMER, read
from orderflow_contracts.approvals import ApprovalStatus
from orderflow_hosting.database import Database
from orderflow_hosting.folding import contains, fold
from orderflow_hosting.spellings import any_case, spellings

MOST_EXAMINED: Final = 2000
"""How many rows one page looks at, at most, on each way through the table."""
AT_ONCE: Final = 250


@dataclass(frozen=True)
class Search:
    """What is looked for; empty is anything.

    `text` is a part of any field. Order, customer and approver are whole names, and who approved
    first of two counts as an approver. All may be spelled in any way. It ended at `since` or later,
    and before `until`.
    """

    text: str = ""
    order_id: str = ""
    customer_id: str = ""
    approver: str = ""
    status: ApprovalStatus | None = None
    since: datetime | None = None
    until: datetime | None = None

    def fits(self, case: Case, now: datetime) -> bool:
        """Tell whether this is looked for, times aside."""
        if case.asked is None:
            return False
        people = [taken.decision.approver for taken in case.taken()]
        return (
            _is_one(self.order_id, [case.order_id])
            and _is_one(self.customer_id, [case.asked.request.customer_id])
            and _is_one(self.approver, people)
            and self.status in (None, case.status(now))
            and (not self.text or contains(_text(case), self.text))
        )


@dataclass(frozen=True, order=True)
class Spot:
    """A place in the list, which is sorted by the end and the order."""

    at: datetime
    order_id: str


@dataclass(frozen=True)
class Found:
    """A page: what was found, and from where to read on.

    Where there is no `next` there is nothing more. `looked_at_all` is false where the search has
    come to its limit before the page was full.
    """

    cases: Sequence[Case]
    next: Spot | None
    looked_at_all: bool = True


@dataclass(frozen=True)
class _Way:
    """A way through the table along an index: rows with these conditions, by this time."""

    time: Column[Any]
    conditions: tuple[ColumnElement[bool], ...]


class Past:
    """What was decided, has expired or was withdrawn."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def search(
        self, search: Search, now: datetime, limit: int, after: Spot | None = None
    ) -> Found:
        """Read a page. Raises `DatabaseUnavailable`."""

        def work(connection: Connection) -> Found:
            ways = _ways(connection, search, now)
            walks = [_walk(connection, way, search, now, limit, after) for way in ways]
            return _merge(walks, limit)

        return await self._database.read(work)


def _ways(connection: Connection, search: Search, now: datetime) -> list[_Way]:
    """Choose the ways: what ended is on one, what only the clock has ended on another."""
    ended = COLUMNS.concluded_at.is_not(None)
    passed = (COLUMNS.status == ApprovalStatus.PENDING, COLUMNS.expires_at <= now)
    if search.order_id:
        this = any_case(connection, COLUMNS.order_id) == fold(search.order_id)
        return [
            _Way(COLUMNS.concluded_at, (this, ended)),
            _Way(COLUMNS.expires_at, (this, *passed)),
        ]
    ways = [_Way(COLUMNS.concluded_at, (ended, *lead)) for lead in _leads(connection, search)]
    if search.status in (None, ApprovalStatus.EXPIRED):
        ways.append(_Way(COLUMNS.expires_at, passed))
    return ways


def _leads(connection: Connection, search: Search) -> list[tuple[ColumnElement[bool], ...]]:
    if search.approver:
        names = spellings(connection, ACCESS.spellings, APPROVER, search.approver)
        deciders = (COLUMNS.approver, COLUMNS.endorser)
        return [(column == name,) for name in names for column in deciders]
    if search.customer_id:
        names = spellings(connection, ACCESS.spellings, CUSTOMER, search.customer_id)
        return [(COLUMNS.customer_id == name,) for name in names]
    if search.status is not None:
        return [(COLUMNS.status == search.status,)]
    return [()]


_Walk = tuple[list[tuple[Spot, Case]], Spot | None]
"""What was found on a way, and where looking ended before the end of the way."""


def _walk(
    connection: Connection,
    way: _Way,
    search: Search,
    now: datetime,
    limit: int,
    after: Spot | None,
) -> _Walk:
    found: list[tuple[Spot, Case]] = []
    spot, examined = after, 0
    while len(found) <= limit and examined < MOST_EXAMINED:
        at_once = AT_ONCE if examined else limit + 1  # enough where nothing else is looked for
        rows = connection.execute(_query(way, search, spot, at_once)).all()
        for row in rows:
            case = read(row)
            spot = _spot(way, row)
            if search.fits(case, now):
                found.append((spot, case))
        if len(rows) < at_once:
            return found, None
        examined += len(rows)
    return found, spot


def _query(way: _Way, search: Search, spot: Spot | None, limit: int) -> Any:
    query = select(APPROVALS).where(*way.conditions, COLUMNS.status.is_not(None))
    if search.since is not None:
        query = query.where(way.time >= search.since)
    if search.until is not None:
        query = query.where(way.time < search.until)
    if spot is not None:
        beyond = or_(way.time < spot.at, COLUMNS.order_id < spot.order_id)
        query = query.where(and_(way.time <= spot.at, beyond))
    return query.order_by(way.time.desc(), COLUMNS.order_id.desc()).limit(limit)


def _merge(walks: Sequence[_Walk], limit: int) -> Found:
    """Put the ways together, as far as all of them were looked at."""
    ends = [end for _, end in walks if end is not None]
    horizon = max(ends, default=None)
    met = {spot: case for found, _ in walks for spot, case in found}
    spots = sorted((spot for spot in met if horizon is None or spot >= horizon), reverse=True)
    page = [met[spot] for spot in spots[:limit]]
    if len(spots) > limit:
        return Found(page, spots[limit - 1])
    return Found(page, horizon, looked_at_all=horizon is None)


def _spot(way: _Way, row: Row[Any]) -> Spot:
    return Spot(getattr(row, way.time.name), row.order_id)


def _is_one(name: str, names: Sequence[str]) -> bool:
    return not name or fold(name) in map(fold, names)


def _text(case: Case) -> str:
    asked = case.asked.request if case.asked else None
    parts = [case.order_id, asked.customer_id if asked else ""]
    parts += [line.item for line in asked.lines] if asked else []
    for taken in case.taken():
        parts += [taken.decision.approver, taken.decision.comment]
    if case.ended is not None:
        parts.append(case.ended.reason.replace("_", " "))
    return "\n".join(parts)
