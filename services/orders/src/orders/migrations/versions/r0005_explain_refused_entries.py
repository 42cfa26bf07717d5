"""Entries of batches that are refused have a detail, which earlier versions ignore."""

from typing import Final

from alembic import op
from sqlalchemy import Column, Text

revision: Final = "0005"
down_revision: Final = "0004"


def upgrade() -> None:
    """Add a column: why entries were refused before is not known."""
    op.add_column("batch_orders", Column("detail", Text))
