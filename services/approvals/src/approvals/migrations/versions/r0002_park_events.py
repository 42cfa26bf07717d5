"""Events that failed are parked, and dead letters keep all bytes of their events."""

from typing import Final

from orderflow_hosting.migrations.second_tables import add_parked_events

revision: Final = "0002"
down_revision: Final = "0001"


def upgrade() -> None:
    """Add a table and columns, which earlier versions ignore."""
    add_parked_events()
