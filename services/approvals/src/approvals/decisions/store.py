"""Storage of approvals: one row per order, created by the first message about it."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, and_, func, insert, or_, select, update

from approvals.decisions.ports import AuditedDecision, Change, ListPosition, Version
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
from orderflow_contracts.approvals import ApprovalStatus
from orderflow_contracts.fields import Clock, now
from orderflow_hosting.access import Audit
from orderflow_hosting.database import Database
from orderflow_hosting.spellings import record_spellings


class SqlApprovalStore:
    """Approvals in a database."""

    def __init__(self, database: Database, clock: Clock = now) -> None:
        self._database = database
        self._audit = Audit(database, ACCESS, clock)

    async def change(
        self, order_id: str, change: Change, audited: AuditedDecision | None = None
    ) -> tuple[Case, Case]:
        """Apply a rule to an order's case in a transaction; return the case before and after.

        If the case changes, `audited` is written to the audit trail in the same transaction.
        """

        def work(connection: Connection) -> tuple[Case, Case]:
            query = select(APPROVALS).where(COLUMNS.order_id == order_id)
            row = connection.execute(query).one_or_none()
            before = Case(order_id) if row is None else read(row)
            after = change(before)
            if after != before:
                _write(connection, after, is_new=row is None)
                if audited is not None:
                    self._add_audit_entry(connection, order_id, audited)
            return before, after

        return await self._database.write(work)

    async def find(self, order_id: str) -> Case:
        """Return the case of an order; empty if no message about it has arrived."""
        query = select(APPROVALS).where(COLUMNS.order_id == order_id)
        row = await self._database.read(lambda connection: connection.execute(query).one_or_none())
        return Case(order_id) if row is None else read(row)

    async def find_all(self, order_ids: Sequence[str]) -> Sequence[Case]:
        """Return the cases of several orders, without those about which no message has arrived."""
        query = select(APPROVALS).where(COLUMNS.order_id.in_(order_ids))
        rows = await self._database.read(lambda connection: connection.execute(query).all())
        return [read(row) for row in rows]

    async def pending(self, now: datetime, limit: int, after: str | None) -> Sequence[Case]:
        """Return pending approvals by order id."""
        query = select(APPROVALS).where(_with_status(ApprovalStatus.PENDING, now))
        if after is not None:
            query = query.where(COLUMNS.order_id > after)
        query = query.order_by(COLUMNS.order_id).limit(limit)
        rows = await self._database.read(lambda connection: connection.execute(query).all())
        return [read(row) for row in rows]

    async def version(self, now: datetime) -> Version:
        """Return the current version; the cost does not depend on the number of approvals."""
        numbers = select(func.max(COLUMNS.change_number))
        deadlines = select(func.min(COLUMNS.expires_at)).where(
            _with_status(ApprovalStatus.PENDING, now)
        )

        def work(connection: Connection) -> Version:
            return Version(connection.scalar(numbers) or 0, connection.scalar(deadlines))

        return await self._database.read(work)

    async def count_pending(self, now: datetime, limit: int) -> int:
        """Count pending approvals up to a limit."""
        some = (
            select(COLUMNS.order_id).where(_with_status(ApprovalStatus.PENDING, now)).limit(limit)
        )
        count = select(func.count()).select_from(some.subquery())
        return await self._database.read(lambda connection: connection.scalar(count) or 0)

    async def backfill(self, limit: int) -> int:
        """Add the time of the end to rows of earlier versions; return the number of rows."""

        def work(connection: Connection) -> int:
            rows = connection.execute(select(APPROVALS).where(INCOMPLETE).limit(limit)).all()
            for row in rows:
                statement = update(APPROVALS).where(COLUMNS.order_id == row.order_id)
                connection.execute(statement.values(concluded_at=read(row).concluded_at()))
            return len(rows)

        return await self._database.write(work)

    async def undelivered(self) -> Sequence[str]:
        """Return the orders whose decision has not been handed over yet."""
        query = select(COLUMNS.order_id).where(UNDELIVERED)
        return await self._database.read(lambda connection: connection.scalars(query).all())

    async def list(
        self, status: ApprovalStatus | None, now: datetime, limit: int, after: ListPosition | None
    ) -> Sequence[Case]:
        """List requests: pending ones by earliest deadline, all others by latest deadline."""
        earliest_first = status is ApprovalStatus.PENDING
        order = [COLUMNS.expires_at, COLUMNS.order_id]
        query = select(APPROVALS).where(_with_status(status, now)).limit(limit)
        query = query.order_by(*(order if earliest_first else [column.desc() for column in order]))
        if after is not None:
            query = query.where(_after(after) if earliest_first else _before(after))
        rows = await self._database.read(lambda connection: connection.execute(query).all())
        return [read(row) for row in rows]

    def _add_audit_entry(
        self, connection: Connection, order_id: str, audited: AuditedDecision
    ) -> None:
        decision = audited.decision
        self._audit.entry_within(
            connection,
            actor=decision.approver,
            via=audited.via,
            action="approval.approve" if decision.approved else "approval.deny",
            subject=order_id,
            details={"comment": decision.comment},
        )


def _write(connection: Connection, case: Case, *, is_new: bool) -> None:
    """Write a case with the next change number; only one transaction writes at a time."""
    numbers = APPROVALS.alias("numbers").c.change_number
    next_number = select(func.coalesce(func.max(numbers), 0) + 1).scalar_subquery()
    row = {**write(case), "change_number": next_number}
    record_spellings(connection, CUSTOMER, *filter(None, [row["customer_id"]]))
    record_spellings(connection, APPROVER, *filter(None, [row["approver"], row["endorser"]]))
    if is_new:
        connection.execute(insert(APPROVALS).values(**row))
    else:
        connection.execute(update(APPROVALS).where(COLUMNS.order_id == case.order_id).values(**row))


def _with_status(status: ApprovalStatus | None, now: datetime) -> ColumnElement[bool]:
    pending = COLUMNS.status == ApprovalStatus.PENDING
    if status is None:
        return COLUMNS.status.is_not(None)
    if status is ApprovalStatus.PENDING:
        return and_(pending, COLUMNS.expires_at > now)
    if status is ApprovalStatus.EXPIRED:
        return or_(COLUMNS.status == status, and_(pending, COLUMNS.expires_at <= now))
    return COLUMNS.status == status


def _after(position: ListPosition) -> ColumnElement[bool]:
    return and_(
        COLUMNS.expires_at >= position.expires_at,
        or_(COLUMNS.expires_at > position.expires_at, COLUMNS.order_id > position.order_id),
    )


def _before(position: ListPosition) -> ColumnElement[bool]:
    return and_(
        COLUMNS.expires_at <= position.expires_at,
        or_(COLUMNS.expires_at < position.expires_at, COLUMNS.order_id < position.order_id),
    )
