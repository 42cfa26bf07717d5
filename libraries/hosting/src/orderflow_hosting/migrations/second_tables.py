"""What the second schema of a service adds: parked events, and whole events in dead letters."""

from alembic import op
from sqlalchemy import Column, Integer, LargeBinary, String, Text, UniqueConstraint

from orderflow_hosting.migrations.first_tables import MOMENT


def add_parked_events() -> None:
    """Add the table of parked events, and the columns of dead letters."""
    op.create_table(
        "parked_events",
        Column("id", Integer, primary_key=True),
        Column("topic", String(200), nullable=False),
        Column("event_id", String(300), nullable=False),
        Column("digest", String(64), nullable=False),
        Column("event", LargeBinary, nullable=False),
        Column("error", Text, nullable=False),
        Column("attempts", Integer, nullable=False),
        Column("own_failures", Integer, nullable=False),
        Column("parked_at", MOMENT, nullable=False),
        Column("next_attempt_at", MOMENT, nullable=False),
        UniqueConstraint("topic", "event_id", "digest"),
    )
    op.create_index("parked_events_by_due", "parked_events", ["next_attempt_at"])
    for column in (
        Column("event", LargeBinary),
        Column("source", Text),
        Column("attempts", Integer),
        Column("resent_as", String(300)),
        Column("discarded_at", MOMENT),
        Column("discard_reason", Text),
    ):
        op.add_column("dead_letters", column)
