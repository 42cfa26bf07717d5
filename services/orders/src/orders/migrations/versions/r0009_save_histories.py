"""Histories of workflow instances that could not go on are saved before they are replaced."""

from typing import Final

from alembic import op
from sqlalchemy import JSON, BigInteger, Column, DateTime, Integer, String, Text

revision: Final = "0009"
down_revision: Final = "0008"


def upgrade() -> None:
    """Add an empty table, which earlier versions ignore."""
    op.create_table(
        "saved_histories",
        Column("number", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
        Column("instance_id", String(100), nullable=False),
        Column("run_id", String(32)),
        Column("saved_at", DateTime(timezone=True), nullable=False),
        Column("why", Text, nullable=False),
        Column("events", JSON, nullable=False),
    )
    op.create_index("saved_histories_by_instance", "saved_histories", ["instance_id", "number"])
    op.create_index("saved_histories_by_time", "saved_histories", ["saved_at"])
