"""The service has an index of its workflow instances, so that lists need not read the engine."""

from typing import Final

from alembic import op
from sqlalchemy import Boolean, Column, DateTime, String, Text

revision: Final = "0010"
down_revision: Final = "0009"

_PLAIN_TEXT: Final = Text().with_variant(Text(collation="C"), "postgresql")
_INDEXES: Final = {
    "status": ("status", "instance_id"),
    "name": ("name", "instance_id"),
    "both": ("name", "status", "instance_id"),
    "time": ("created_at", "instance_id"),
    "status_and_time": ("status", "created_at", "instance_id"),
    "name_and_time": ("name", "created_at", "instance_id"),
    "all": ("name", "status", "created_at", "instance_id"),
    "check": ("is_finished", "seen_at"),
}


def upgrade() -> None:
    """Add an empty table: the service adds the instances that exist when it starts."""
    op.create_table(
        "workflow_instances",
        Column("instance_id", _PLAIN_TEXT, primary_key=True),
        Column("name", _PLAIN_TEXT, nullable=False),
        Column("status", String(16), nullable=False),
        Column("is_finished", Boolean, nullable=False),
        Column("created_at", DateTime(timezone=True), nullable=False),
        Column("last_updated_at", DateTime(timezone=True), nullable=False),
        Column("seen_at", DateTime(timezone=True), nullable=False),
    )
    for name, columns in _INDEXES.items():
        op.create_index(f"workflow_instances_by_{name}", "workflow_instances", list(columns))
