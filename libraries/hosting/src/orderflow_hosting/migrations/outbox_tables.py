"""What the revisions that introduce the outbox add to a service's schema."""

from alembic import op
from sqlalchemy import Column, Integer, LargeBinary, String

from orderflow_hosting.migrations.first_tables import MOMENT, NUMBER


def add_outbox() -> None:
    """Add the table of messages, and the lease of the replica that publishes them."""
    op.create_table(
        "outbox",
        Column("id", NUMBER, primary_key=True),
        Column("key", String(200), nullable=False),
        Column("topic", String(200), nullable=False),
        Column("event", LargeBinary, nullable=False),
        Column("created_at", MOMENT, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "outbox_lease",
        Column("number", Integer, primary_key=True),
        Column("owner", String(36), nullable=False),
        Column("expires_at", MOMENT, nullable=False),
    )
