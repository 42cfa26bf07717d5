"""The tables of approvals, and the mapping between a case and its row; one row per order."""

from collections.abc import Mapping, Sequence
from pathlib import Path
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

from approvals.domain import Case, Ended, FinalDecision, FirstApproval, ReceivedRequest
from orderflow_contracts.approvals import ApprovalRequested, Decision
from orderflow_hosting.access import access_tables
from orderflow_hosting.access.audit import SUBJECT
from orderflow_hosting.database import Utc
from orderflow_hosting.dead_letters import dead_letter_table, parked_event_table
from orderflow_hosting.migrations.schema import Schema
from orderflow_hosting.outbox import outbox_tables
from orderflow_hosting.spellings import Source, index_any_case

SCHEMA: Final = Schema("approvals", Path(__file__).parent / "migrations" / "versions")
TABLES: Final = MetaData()
DEAD_LETTERS: Final = dead_letter_table(TABLES, "order_id")
PARKED_EVENTS: Final = parked_event_table(TABLES)
outbox_tables(TABLES)
ACCESS: Final = access_tables(TABLES)

APPROVALS: Final = Table(
    "approvals",
    TABLES,
    Column("order_id", String(64), primary_key=True),
    # The status without regard to the time; null until the request has arrived.
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
    # Null in rows of earlier versions, and if one approval is enough.
    Column("levels", Integer),
    Column("endorser", String(128)),
    Column("endorsement", Text),
    Column("endorsed_at", Utc),
    # When the approval ended; null in rows of earlier versions until they are backfilled.
    Column("concluded_at", Utc),
    # The number of its latest change, counted over all rows; null in rows of earlier versions.
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
"""Columns with names that can be searched in any spelling."""
UNDELIVERED: Final = and_(
    COLUMNS.decided_at.is_not(None), COLUMNS.outcome.is_(None), COLUMNS.status.is_not(None)
)
INCOMPLETE: Final = and_(
    or_(COLUMNS.decided_at.is_not(None), COLUMNS.ended_at.is_not(None)),
    COLUMNS.status.is_not(None),
    COLUMNS.concluded_at.is_(None),
)
"""Ended approvals without the time of their end, written by an earlier version."""

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
    """Convert a case to a row."""
    request = case.received.request if case.received else None
    final, first = case.final, case.first_approval
    return {
        "order_id": case.order_id,
        "status": case.recorded_status(),
        "customer_id": request.customer_id if request else None,
        "lines": [line.model_dump() for line in request.lines] if request else None,
        "total_cents": request.total_cents if request else None,
        "requested_at": case.received.requested_at if case.received else None,
        "expires_at": request.expires_at if request else None,
        "ended_reason": case.ended.reason if case.ended else None,
        "ended_at": case.ended.at if case.ended else None,
        "approved": final.decision.approved if final else None,
        "approver": final.decision.approver if final else None,
        "comment": final.decision.comment if final else None,
        "decided_at": final.decided_at if final else None,
        "handed_over_at": final.handed_over_at if final else None,
        "outcome": final.outcome if final else None,
        "levels": request.levels if request and request.levels > 1 else None,
        "endorser": first.decision.approver if first else None,
        "endorsement": first.decision.comment if first else None,
        "endorsed_at": first.decided_at if first else None,
        "concluded_at": case.concluded_at(),
    }


def read(row: Row[Any]) -> Case:
    """Convert a row to a case."""
    return Case(
        order_id=row.order_id,
        received=_received_request(row) if row.requested_at is not None else None,
        final=_final_decision(row) if row.decided_at is not None else None,
        ended=Ended(row.ended_reason, row.ended_at) if row.ended_at is not None else None,
        first_approval=_first_approval(row) if row.endorsed_at is not None else None,
    )


def _received_request(row: Row[Any]) -> ReceivedRequest:
    request = ApprovalRequested(
        order_id=row.order_id,
        customer_id=row.customer_id,
        lines=row.lines,
        total_cents=row.total_cents,
        expires_at=row.expires_at,
        levels=row.levels or 1,
    )
    return ReceivedRequest(request, row.requested_at)


def _final_decision(row: Row[Any]) -> FinalDecision:
    decision = Decision(approved=row.approved, approver=row.approver, comment=row.comment)
    return FinalDecision(decision, row.decided_at, row.handed_over_at, row.outcome)


def _first_approval(row: Row[Any]) -> FirstApproval:
    decision = Decision(approved=True, approver=row.endorser, comment=row.endorsement)
    return FirstApproval(decision, row.endorsed_at)
