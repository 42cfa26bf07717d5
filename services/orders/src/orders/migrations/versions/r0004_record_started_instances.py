"""Workflow instances that the management API starts are recorded, so that no order has their id."""

from typing import Final

from alembic import op
from sqlalchemy import Column, DateTime, String

revision: Final = "0004"
down_revision: Final = "0003"


def upgrade() -> None:
    """Add an empty table: instances that were started before are in the engine alone."""
    op.create_table(
        "started_instances",
        Column("instance_id", String(100), primary_key=True),
        Column("started_at", DateTime(timezone=True), nullable=False),
    )
