"""Searches approvals that were decided, have expired or were withdrawn, latest first, in pages.

The cost of a page does not grow with the number of stored approvals. One condition is served by an
index, and the others are checked on a limited number of rows; the next page continues where the
scan stopped.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Column, ColumnElement, Connection, and_, or_, select

from approvals.domain import Case
from approvals.history.search import Search
from approvals.tables import ACCESS, APPROVALS, APPROVER, COLUMNS, CUSTOMER, read
from orderflow_contracts.approvals import ApprovalStatus
from orderflow_hosting.database import Database
from orderflow_hosting.folding import fold
from orderflow_hosting.spellings import any_case, spellings

MAX_ROWS_SCANNED: Final = 2000
"""How many rows of each index scan one page may read."""
BATCH_ROWS: Final = 250


@dataclass(frozen=True, order=True)
class HistoryPosition:
    """A position in the history, which is sorted by the time of the end and the order."""

    at: datetime
    order_id: str


@dataclass(frozen=True)
class SearchPage:
    """A page of results, and the position of the next page, or None if there is none.

    `is_complete` is false if the scan reached its limit before the page was full.
    """

    cases: Sequence[Case]
    next: HistoryPosition | None
    is_complete: bool = True


@dataclass(frozen=True)
class _IndexScan:
    """A scan of the rows that meet some conditions, in the order of a time column."""

    time: Column[Any]
    conditions: tuple[ColumnElement[bool], ...]


class DecisionHistory:
    """Approvals that were decided, have expired or were withdrawn."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def search(
        self, search: Search, now: datetime, limit: int, after: HistoryPosition | None = None
    ) -> SearchPage:
        """Return a page. Raises `DatabaseUnavailable`."""

        def work(connection: Connection) -> SearchPage:
            scans = _scans(connection, search, now)
            results = [_run(connection, scan, search, now, limit, after) for scan in scans]
            return _merge(results, limit)

        return await self._database.read(work)


def _scans(connection: Connection, search: Search, now: datetime) -> list[_IndexScan]:
    """Choose the scans: one for recorded ends, another for pending ones past their deadline."""
    ended = COLUMNS.concluded_at.is_not(None)
    expired = (COLUMNS.status == ApprovalStatus.PENDING, COLUMNS.expires_at <= now)
    if search.order_id:
        this = any_case(connection, COLUMNS.order_id) == fold(search.order_id)
        return [
            _IndexScan(COLUMNS.concluded_at, (this, ended)),
            _IndexScan(COLUMNS.expires_at, (this, *expired)),
        ]
    scans = [
        _IndexScan(COLUMNS.concluded_at, (ended, *conditions))
        for conditions in _indexed_conditions(connection, search)
    ]
    if search.status in (None, ApprovalStatus.EXPIRED):
        scans.append(_IndexScan(COLUMNS.expires_at, expired))
    return scans


def _indexed_conditions(
    connection: Connection, search: Search
) -> list[tuple[ColumnElement[bool], ...]]:
    if search.approver:
        names = spellings(connection, ACCESS.spellings, APPROVER, search.approver)
        approvers = (COLUMNS.approver, COLUMNS.endorser)
        return [(column == name,) for name in names for column in approvers]
    if search.customer_id:
        names = spellings(connection, ACCESS.spellings, CUSTOMER, search.customer_id)
        return [(COLUMNS.customer_id == name,) for name in names]
    if search.status is not None:
        return [(COLUMNS.status == search.status,)]
    return [()]


_ScanResult = tuple[list[tuple[HistoryPosition, Case]], HistoryPosition | None]
"""The matches of a scan, and the position where it stopped early, or None if it finished."""


def _run(
    connection: Connection,
    scan: _IndexScan,
    search: Search,
    now: datetime,
    limit: int,
    after: HistoryPosition | None,
) -> _ScanResult:
    found: list[tuple[HistoryPosition, Case]] = []
    position, scanned = after, 0
    while len(found) <= limit and scanned < MAX_ROWS_SCANNED:
        batch = BATCH_ROWS if scanned else limit + 1  # enough if there are no other filters
        rows = connection.execute(_query(scan, search, position, batch)).all()
        for row in rows:
            case = read(row)
            position = HistoryPosition(getattr(row, scan.time.name), row.order_id)
            if search.matches(case, now):
                found.append((position, case))
        if len(rows) < batch:
            return found, None
        scanned += len(rows)
    return found, position


def _query(scan: _IndexScan, search: Search, position: HistoryPosition | None, limit: int) -> Any:
    query = select(APPROVALS).where(*scan.conditions, COLUMNS.status.is_not(None))
    if search.since is not None:
        query = query.where(scan.time >= search.since)
    if search.until is not None:
        query = query.where(scan.time < search.until)
    if position is not None:
        beyond = or_(scan.time < position.at, COLUMNS.order_id < position.order_id)
        query = query.where(and_(scan.time <= position.at, beyond))
    return query.order_by(scan.time.desc(), COLUMNS.order_id.desc()).limit(limit)


def _merge(results: Sequence[_ScanResult], limit: int) -> SearchPage:
    """Merge the scans, down to the position that all of them have reached."""
    stops = [stop for _, stop in results if stop is not None]
    horizon = max(stops, default=None)
    found = {position: case for matches, _ in results for position, case in matches}
    positions = sorted(
        (position for position in found if horizon is None or position >= horizon), reverse=True
    )
    page = [found[position] for position in positions[:limit]]
    if len(positions) > limit:
        return SearchPage(page, positions[limit - 1])
    return SearchPage(page, horizon, is_complete=horizon is None)
