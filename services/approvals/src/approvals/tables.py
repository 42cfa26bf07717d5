"""The tables of approvals, and how a case is written as a row: one row an order."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    MetaData,
    Row,
    String,
    Table,
    Text,
    and_,
    or_,
)

from approvals.domain import Asked, Case, Ended, Endorsed, Made
from orderflow_contracts.approvals import ApprovalRequested, Decision
from orderflow_hosting.access import access_tables
from orderflow_hosting.access.audit import SUBJECT
from orderflow_hosting.database import Utc
from orderflow_hosting.dead_letters import dead_letter_table
from orderflow_hosting.spellings import Source, index_any_case

TABLES: Final = MetaData()
DEAD_LETTERS: Final = dead_letter_table(TABLES, "order_id")
ACCESS: Final = access_tables(TABLES)

APPROVALS: Final = Table(
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
    # When it came to an end; null in rows of earlier versions until `SqlApprovalStore.complete`.
    Column("concluded_at", Utc),
    # The number of the latest change, counted over all rows; null in rows of earlier versions.
    Column("change_number", BigInteger),
)
COLUMNS: Final = APPROVALS.c
CUSTOMER: Final = "customer"
APPROVER: Final = "approver"
SOURCES: Final[Sequence[Source]] = (
    (CUSTOMER, COLUMNS.customer_id),
    (APPROVER, COLUMNS.approver),
    (APPROVER, COLUMNS.endorser),
    (SUBJECT, ACCESS.audit.c.subject),
)
"""The names that are searched in any spelling."""
UNDELIVERED: Final = and_(
    COLUMNS.decided_at.is_not(None), COLUMNS.outcome.is_(None), COLUMNS.status.is_not(None)
)
INCOMPLETE: Final = and_(
    or_(COLUMNS.decided_at.is_not(None), COLUMNS.ended_at.is_not(None)),
    COLUMNS.status.is_not(None),
    COLUMNS.concluded_at.is_(None),
)
"""What has come to an end and does not say when, for an earlier version has written it."""

Index("approvals_by_deadline", COLUMNS.status, COLUMNS.expires_at, COLUMNS.order_id)
Index(
    "approvals_undelivered",
    COLUMNS.order_id,
    sqlite_where=UNDELIVERED,
    postgresql_where=UNDELIVERED,
)
index_any_case("approvals_by_any_case_id", COLUMNS.order_id)
Index("approvals_by_change", COLUMNS.change_number)
Index("approvals_concluded", COLUMNS.concluded_at, COLUMNS.order_id)
Index("approvals_by_outcome", COLUMNS.status, COLUMNS.concluded_at, COLUMNS.order_id)
Index("approvals_by_customer", COLUMNS.customer_id, COLUMNS.concluded_at, COLUMNS.order_id)
Index("approvals_by_approver", COLUMNS.approver, COLUMNS.concluded_at, COLUMNS.order_id)
Index(
    "approvals_by_endorser",
    COLUMNS.endorser,
    COLUMNS.concluded_at,
    COLUMNS.order_id,
    sqlite_where=COLUMNS.endorser.is_not(None),
    postgresql_where=COLUMNS.endorser.is_not(None),
)
Index(
    "approvals_incomplete",
    COLUMNS.order_id,
    sqlite_where=INCOMPLETE,
    postgresql_where=INCOMPLETE,
)


def write(case: Case) -> Mapping[str, Any]:
    """Write a case as a row."""
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
        "concluded_at": case.concluded_at(),
    }


def read(row: Row[Any]) -> Case:
    """Read the case that a row tells of."""
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
