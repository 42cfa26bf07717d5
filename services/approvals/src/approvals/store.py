"""What approvals remembers: one row an order, made by whatever came first for it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Protocol, TypeVar

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    Connection,
    Index,
    Integer,
    MetaData,
    Row,
    String,
    Table,
    Text,
    and_,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy.exc import InterfaceError, OperationalError

from approvals.domain import Asked, Case, Ended, Endorsed, Made
from orderflow_contracts.approvals import ApprovalRequested, ApprovalStatus, Decision
from orderflow_hosting.access import Audit, access_tables
from orderflow_hosting.database import Database, DatabaseClosed, DatabaseNotReady, Utc
from orderflow_hosting.dead_letters import dead_letter_table

T = TypeVar("T")

TABLES: Final = MetaData()
DEAD_LETTERS: Final = dead_letter_table(TABLES)
ACCESS: Final = access_tables(TABLES)

Change = Callable[[Case], Case]
"""A rule applied to a case; it may run twice, and raises what must not be written."""

_approvals = Table(
    "approvals",
    TABLES,
    Column("order_id", String(64), primary_key=True),
    # As the status is without a clock; null until the request has come.
    Column("status", String(16)),
    Column("customer_id", String(128)),
    Column("lines", JSON(none_as_null=True)),
    Column("total_cents", BigInteger),
    Column("requested_at", Utc),
    Column("expires_at", Utc),
    Column("ended_reason", Text),
    Column("ended_at", Utc),
    Column("approved", Boolean),
    Column("approver", String(128)),
    Column("comment", Text),
    Column("decided_at", Utc),
    Column("handed_over_at", Utc),
    Column("outcome", String(16)),
    # Null in the rows of earlier versions, and where one approval is enough.
    Column("levels", Integer),
    Column("endorser", String(128)),
    Column("endorsement", Text),
    Column("endorsed_at", Utc),
)
_columns = _approvals.c
_undelivered = and_(
    _columns.decided_at.is_not(None), _columns.outcome.is_(None), _columns.status.is_not(None)
)
Index("approvals_by_deadline", _columns.status, _columns.expires_at, _columns.order_id)
Index(
    "approvals_undelivered",
    _columns.order_id,
    sqlite_where=_undelivered,
    postgresql_where=_undelivered,
)


@dataclass(frozen=True)
class Place:
    """A place in the list of approvals, which is sorted by deadline and order."""

    expires_at: datetime
    order_id: str


@dataclass(frozen=True)
class Taken:
    """A decision for the audit trail, and how it is known who took it."""

    decision: Decision
    via: str


class StoreUnavailable(Exception):
    """The database does not answer; whether a change was written is not known."""


class ApprovalStore(Protocol):
    """The memory of approvals. Every call may raise `StoreUnavailable`."""

    async def change(
        self, order_id: str, change: Change, taken: Taken | None = None
    ) -> tuple[Case, Case]:
        """Apply a rule to an order's case in a transaction; return the case before and after.

        A decision that it takes in is written to the audit trail in the same transaction.
        """
        ...

    async def find(self, order_id: str) -> Case:
        """Read the case of an order; it is empty when nothing came for it yet."""
        ...

    async def undelivered(self) -> Sequence[str]:
        """Name the orders whose decision orders has still to be told."""
        ...

    async def list(
        self, status: ApprovalStatus | None, now: datetime, limit: int, after: Place | None
    ) -> Sequence[Case]:
        """Read requests: pending ones by the nearest deadline, others by the latest."""
        ...


class SqlApprovalStore:
    """The memory of approvals in a database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._audit = Audit(database, ACCESS)

    async def change(
        self, order_id: str, change: Change, taken: Taken | None = None
    ) -> tuple[Case, Case]:
        """Apply a rule to an order's case in a transaction; return the case before and after."""

        def work(connection: Connection) -> tuple[Case, Case]:
            query = select(_approvals).where(_columns.order_id == order_id)
            row = connection.execute(query).one_or_none()
            before = Case(order_id) if row is None else _read(row)
            after = change(before)
            if row is None and after != before:
                connection.execute(insert(_approvals).values(**_write(after)))
            elif after != before:
                connection.execute(
                    update(_approvals).where(_columns.order_id == order_id).values(**_write(after))
                )
            if taken is not None and after != before:
                self._note(connection, order_id, taken)
            return before, after

        with _reached():
            return await self._database.write(work)

    async def find(self, order_id: str) -> Case:
        """Read the case of an order; it is empty when nothing came for it yet."""
        query = select(_approvals).where(_columns.order_id == order_id)
        row = await self._read(lambda connection: connection.execute(query).one_or_none())
        return Case(order_id) if row is None else _read(row)

    async def undelivered(self) -> Sequence[str]:
        """Name the orders whose decision orders has still to be told."""
        query = select(_columns.order_id).where(_undelivered)
        return await self._read(lambda connection: connection.scalars(query).all())

    async def list(
        self, status: ApprovalStatus | None, now: datetime, limit: int, after: Place | None
    ) -> Sequence[Case]:
        """Read requests: pending ones by the nearest deadline, others by the latest."""
        nearest_first = status is ApprovalStatus.PENDING
        order = [_columns.expires_at, _columns.order_id]
        query = select(_approvals).where(_having(status, now)).limit(limit)
        query = query.order_by(*(order if nearest_first else [column.desc() for column in order]))
        if after is not None:
            query = query.where(_beyond(after) if nearest_first else _before(after))
        rows = await self._read(lambda connection: connection.execute(query).all())
        return [_read(row) for row in rows]

    def _note(self, connection: Connection, order_id: str, taken: Taken) -> None:
        decision = taken.decision
        self._audit.entry_within(
            connection,
            actor=decision.approver,
            via=taken.via,
            action="approval.approve" if decision.approved else "approval.deny",
            subject=order_id,
            details={"comment": decision.comment},
        )

    async def _read(self, work: Callable[[Connection], T]) -> T:
        with _reached():
            return await self._database.read(work)


@contextmanager
def _reached() -> Iterator[None]:
    try:
        yield
    except (OperationalError, InterfaceError) as error:
        raise StoreUnavailable(str(error.orig)) from error
    except (DatabaseClosed, DatabaseNotReady) as error:
        raise StoreUnavailable(str(error)) from error


def _having(status: ApprovalStatus | None, now: datetime) -> ColumnElement[bool]:
    pending = _columns.status == ApprovalStatus.PENDING
    if status is None:
        return _columns.status.is_not(None)
    if status is ApprovalStatus.PENDING:
        return and_(pending, _columns.expires_at > now)
    if status is ApprovalStatus.EXPIRED:
        return or_(_columns.status == status, and_(pending, _columns.expires_at <= now))
    return _columns.status == status


def _beyond(place: Place) -> ColumnElement[bool]:
    return and_(
        _columns.expires_at >= place.expires_at,
        or_(_columns.expires_at > place.expires_at, _columns.order_id > place.order_id),
    )


def _before(place: Place) -> ColumnElement[bool]:
    return and_(
        _columns.expires_at <= place.expires_at,
        or_(_columns.expires_at < place.expires_at, _columns.order_id < place.order_id),
    )


def _write(case: Case) -> Mapping[str, Any]:
    request = case.asked.request if case.asked else None
    made, endorsed = case.made, case.endorsed
    return {
        "order_id": case.order_id,
        "status": case.recorded_status(),
        "customer_id": request.customer_id if request else None,
        "lines": [line.model_dump() for line in request.lines] if request else None,
        "total_cents": request.total_cents if request else None,
        "requested_at": case.asked.requested_at if case.asked else None,
        "expires_at": request.expires_at if request else None,
        "ended_reason": case.ended.reason if case.ended else None,
        "ended_at": case.ended.at if case.ended else None,
        "approved": made.decision.approved if made else None,
        "approver": made.decision.approver if made else None,
        "comment": made.decision.comment if made else None,
        "decided_at": made.decided_at if made else None,
        "handed_over_at": made.handed_over_at if made else None,
        "outcome": made.outcome if made else None,
        "levels": request.levels if request and request.levels > 1 else None,
        "endorser": endorsed.decision.approver if endorsed else None,
        "endorsement": endorsed.decision.comment if endorsed else None,
        "endorsed_at": endorsed.decided_at if endorsed else None,
    }


def _read(row: Row[Any]) -> Case:
    return Case(
        order_id=row.order_id,
        asked=_asked(row) if row.requested_at is not None else None,
        made=_made(row) if row.decided_at is not None else None,
        ended=Ended(row.ended_reason, row.ended_at) if row.ended_at is not None else None,
        endorsed=_endorsed(row) if row.endorsed_at is not None else None,
    )


def _asked(row: Row[Any]) -> Asked:
    request = ApprovalRequested(
        order_id=row.order_id,
        customer_id=row.customer_id,
        lines=row.lines,
        total_cents=row.total_cents,
        expires_at=row.expires_at,
        levels=row.levels or 1,
    )
    return Asked(request, row.requested_at)


def _made(row: Row[Any]) -> Made:
    decision = Decision(approved=row.approved, approver=row.approver, comment=row.comment)
    return Made(decision, row.decided_at, row.handed_over_at, row.outcome)


def _endorsed(row: Row[Any]) -> Endorsed:
    decision = Decision(approved=True, approver=row.endorser, comment=row.endorsement)
    return Endorsed(decision, row.endorsed_at)
