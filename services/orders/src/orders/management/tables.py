"""The index of workflow instances."""

from typing import Final

from sqlalchemy import Boolean, Column, Index, String, Table, Text

from orderflow_hosting.database import Utc
from orders.tables import TABLES

PlainText: Final = Text().with_variant(Text(collation="C"), "postgresql")
"""Text that is sorted by its code points."""

INSTANCES = Table(
    "workflow_instances",
    TABLES,
    Column("instance_id", PlainText, primary_key=True),
    Column("name", PlainText, nullable=False),
    Column("status", String(16), nullable=False),
    Column("is_finished", Boolean, nullable=False),
    Column("created_at", Utc, nullable=False),
    Column("last_updated_at", Utc, nullable=False),
    Column("seen_at", Utc, nullable=False),
    Index("workflow_instances_by_status", "status", "instance_id"),
    Index("workflow_instances_by_name", "name", "instance_id"),
    Index("workflow_instances_by_both", "name", "status", "instance_id"),
    Index("workflow_instances_by_time", "created_at", "instance_id"),
    Index("workflow_instances_by_status_and_time", "status", "created_at", "instance_id"),
    Index("workflow_instances_by_name_and_time", "name", "created_at", "instance_id"),
    Index("workflow_instances_by_all", "name", "status", "created_at", "instance_id"),
    Index("workflow_instances_by_check", "is_finished", "seen_at"),
)
"""What is known of the engine's instances: each combination of filters has an index.

`seen_at` is when the status was known to be true; older knowledge does not replace newer.
"""
