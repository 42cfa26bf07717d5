"""The first schema, which also adopts databases that earlier versions created.

Rows of those versions stay as they are. A service completes them in the background, because during
a rollout, replicas of the earlier version still write such rows.
"""

from typing import Final

from alembic import op
from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    and_,
    or_,
)

from orderflow_hosting.migrations.adoption import adopt
from orderflow_hosting.migrations.first_tables import (
    MOMENT,
    add_hosting_tables,
    index_any_case,
    protect_audit,
)

revision: Final = "0001"
down_revision: Final = None

_TABLES: Final = MetaData()
add_hosting_tables(_TABLES, "order_id")
_COLUMNS: Final = Table(
    "approvals",
    _TABLES,
    Column("order_id", String(64), primary_key=True),
    Column("status", String(16)),
    Column("customer_id", String(128)),
    Column("lines", JSON),
    Column("total_cents", BigInteger),
    Column("requested_at", MOMENT),
    Column("expires_at", MOMENT),
    Column("ended_reason", Text),
    Column("ended_at", MOMENT),
    Column("approved", Boolean),
    Column("approver", String(128)),
    Column("comment", Text),
    Column("decided_at", MOMENT),
    Column("handed_over_at", MOMENT),
    Column("outcome", String(16)),
    Column("levels", Integer),
    Column("endorser", String(128)),
    Column("endorsement", Text),
    Column("endorsed_at", MOMENT),
    Column("concluded_at", MOMENT),
    Column("change_number", BigInteger),
    Index("approvals_by_deadline", "status", "expires_at", "order_id"),
    Index("approvals_by_change", "change_number"),
    Index("approvals_concluded", "concluded_at", "order_id"),
    Index("approvals_by_outcome", "status", "concluded_at", "order_id"),
    Index("approvals_by_customer", "customer_id", "concluded_at", "order_id"),
    Index("approvals_by_approver", "approver", "concluded_at", "order_id"),
).c
index_any_case("approvals_by_any_case_id", _COLUMNS.order_id)
_UNDELIVERED: Final = and_(
    _COLUMNS.decided_at.is_not(None), _COLUMNS.outcome.is_(None), _COLUMNS.status.is_not(None)
)
Index(
    "approvals_undelivered",
    _COLUMNS.order_id,
    sqlite_where=_UNDELIVERED,
    postgresql_where=_UNDELIVERED,
)
Index(
    "approvals_by_endorser",
    _COLUMNS.endorser,
    _COLUMNS.concluded_at,
    _COLUMNS.order_id,
    sqlite_where=_COLUMNS.endorser.is_not(None),
    postgresql_where=_COLUMNS.endorser.is_not(None),
)
_INCOMPLETE: Final = and_(
    or_(_COLUMNS.decided_at.is_not(None), _COLUMNS.ended_at.is_not(None)),
    _COLUMNS.status.is_not(None),
    _COLUMNS.concluded_at.is_(None),
)
Index(
    "approvals_incomplete",
    _COLUMNS.order_id,
    sqlite_where=_INCOMPLETE,
    postgresql_where=_INCOMPLETE,
)


def upgrade() -> None:
    """Create what is missing."""
    connection = op.get_bind()
    protect_audit(connection, adopt(connection, _TABLES))
