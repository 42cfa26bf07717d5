"""Messages are written to an outbox, in the transaction that owes them."""

from typing import Final

from alembic import op
from sqlalchemy import Boolean, Column

from orderflow_hosting.migrations.outbox_tables import add_outbox

revision: Final = "0007"
down_revision: Final = "0006"


def upgrade() -> None:
    """Add tables, and a column that earlier versions ignore.

    It stays null in their rows: what they recorded, their activities publish, or repeat.
    """
    add_outbox()
    op.add_column("order_statuses", Column("in_outbox", Boolean))
