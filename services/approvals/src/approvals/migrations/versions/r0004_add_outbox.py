"""Messages are written to an outbox, in the transaction that owes them."""

from typing import Final

from orderflow_hosting.migrations.outbox_tables import add_outbox

revision: Final = "0004"
down_revision: Final = "0003"


def upgrade() -> None:
    """Add tables, which earlier versions ignore."""
    add_outbox()
