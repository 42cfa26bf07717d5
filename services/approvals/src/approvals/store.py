"""What approvals remembers: one row an order, made by whatever came first for it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from sqlalchemy import ColumnElement, Connection, and_, func, insert, or_, select, update

from approvals.domain import Case
from approvals.tables import (
    ACCESS,
    APPROVALS,
    APPROVER,
    COLUMNS,
    CUSTOMER,
    INCOMPLETE,
    UNDELIVERED,
    read,
    write,
)
from orderflow_contracts.approvals import ApprovalStatus, Decision
from orderflow_hosting.access import Audit
from orderflow_hosting.database import Database
from orderflow_hosting.spellings import note

Change = Callable[[Case], Case]
"""A rule applied to a case; it may run twice, and raises what must not be written."""


@dataclass(frozen=True)
class Place:
    """A place in the list of approvals, which is sorted by deadline and order."""

    expires_at: datetime
    order_id: str


@dataclass(frozen=True)
class Version:
    """Which approvals there are, as of some moment: another version means that they read otherwise.

    `change` counts every change that was written; at `deadline` the next pending one expires.
    """

    change: int
    deadline: datetime | None

    def __str__(self) -> str:
        """Write it as one word, for an address."""
        due = "" if self.deadline is None else format(self.deadline, "%Y%m%dT%H%M%S.%f")
        return f"{self.change}-{due}"


@dataclass(frozen=True)
class Taken:
    """A decision for the audit trail, and how it is known who took it."""

    decision: Decision
    via: str


class ApprovalStore(Protocol):
    """The memory of approvals. Every call may raise `orderflow_hosting.problems.Unavailable`."""

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
        """Apply a rule to an order's case in a transaction; return the case before and after.

        A decision that it takes in is written to the audit trail in the same transaction.
        """

        def work(connection: Connection) -> tuple[Case, Case]:
            query = select(APPROVALS).where(COLUMNS.order_id == order_id)
            row = connection.execute(query).one_or_none()
            before = Case(order_id) if row is None else read(row)
            after = change(before)
            if after != before:
                _write(connection, after, is_new=row is None)
                if taken is not None:
                    self._note(connection, order_id, taken)
            return before, after

        return await self._database.write(work)

    async def find(self, order_id: str) -> Case:
        """Read the case of an order; it is empty when nothing came for it yet."""
        query = select(APPROVALS).where(COLUMNS.order_id == order_id)
        row = await self._database.read(lambda connection: connection.execute(query).one_or_none())
        return Case(order_id) if row is None else read(row)

    async def find_all(self, order_ids: Sequence[str]) -> Sequence[Case]:
        """Read the cases of several orders, as far as anything came for them."""
        query = select(APPROVALS).where(COLUMNS.order_id.in_(order_ids))
        rows = await self._database.read(lambda connection: connection.execute(query).all())
        return [read(row) for row in rows]

    async def version(self, now: datetime) -> Version:
        """Tell which approvals there are; it costs the same however many those are."""
        numbers = select(func.max(COLUMNS.change_number))
        deadlines = select(func.min(COLUMNS.expires_at)).where(_having(ApprovalStatus.PENDING, now))

        def work(connection: Connection) -> Version:
            return Version(connection.scalar(numbers) or 0, connection.scalar(deadlines))

        return await self._database.read(work)

    async def count_pending(self, now: datetime, most: int) -> int:
        """Count the pending ones, up to so many."""
        some = select(COLUMNS.order_id).where(_having(ApprovalStatus.PENDING, now)).limit(most)
        count = select(func.count()).select_from(some.subquery())
        return await self._database.read(lambda connection: connection.scalar(count) or 0)

    async def complete(self, most: int) -> int:
        """Note when approvals ended that an earlier version has written; return for how many."""

        def work(connection: Connection) -> int:
            rows = connection.execute(select(APPROVALS).where(INCOMPLETE).limit(most)).all()
            for row in rows:
                noted = update(APPROVALS).where(COLUMNS.order_id == row.order_id)
                connection.execute(noted.values(concluded_at=read(row).concluded_at()))
            return len(rows)

        return await self._database.write(work)

    async def undelivered(self) -> Sequence[str]:
        """Name the orders whose decision orders has still to be told."""
        query = select(COLUMNS.order_id).where(UNDELIVERED)
        return await self._database.read(lambda connection: connection.scalars(query).all())

    async def list(
        self, status: ApprovalStatus | None, now: datetime, limit: int, after: Place | None
    ) -> Sequence[Case]:
        """Read requests: pending ones by the nearest deadline, others by the latest."""
        nearest_first = status is ApprovalStatus.PENDING
        order = [COLUMNS.expires_at, COLUMNS.order_id]
        query = select(APPROVALS).where(_having(status, now)).limit(limit)
        query = query.order_by(*(order if nearest_first else [column.desc() for column in order]))
        if after is not None:
            query = query.where(_beyond(after) if nearest_first else _before(after))
        rows = await self._database.read(lambda connection: connection.execute(query).all())
        return [read(row) for row in rows]

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


def _write(connection: Connection, case: Case, *, is_new: bool) -> None:
    """Write a case with the number of this change: only one transaction writes at a time."""
    numbers = APPROVALS.alias("numbers").c.change_number
    next_number = select(func.coalesce(func.max(numbers), 0) + 1).scalar_subquery()
    row = {**write(case), "change_number": next_number}
    note(connection, CUSTOMER, *filter(None, [row["customer_id"]]))
    note(connection, APPROVER, *filter(None, [row["approver"], row["endorser"]]))
    if is_new:
        connection.execute(insert(APPROVALS).values(**row))
    else:
        connection.execute(update(APPROVALS).where(COLUMNS.order_id == case.order_id).values(**row))


def _having(status: ApprovalStatus | None, now: datetime) -> ColumnElement[bool]:
    pending = COLUMNS.status == ApprovalStatus.PENDING
    if status is None:
        return COLUMNS.status.is_not(None)
    if status is ApprovalStatus.PENDING:
        return and_(pending, COLUMNS.expires_at > now)
    if status is ApprovalStatus.EXPIRED:
        return or_(COLUMNS.status == status, and_(pending, COLUMNS.expires_at <= now))
    return COLUMNS.status == status


def _beyond(place: Place) -> ColumnElement[bool]:
    return and_(
        COLUMNS.expires_at >= place.expires_at,
        or_(COLUMNS.expires_at > place.expires_at, COLUMNS.order_id > place.order_id),
    )


def _before(place: Place) -> ColumnElement[bool]:
    return and_(
        COLUMNS.expires_at <= place.expires_at,
        or_(COLUMNS.expires_at < place.expires_at, COLUMNS.order_id < place.order_id),
    )
