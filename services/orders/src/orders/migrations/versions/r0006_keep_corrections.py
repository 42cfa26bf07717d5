"""Dead letters keep the event that corrects them, so that what became of it can be found."""

from typing import Final

from alembic import op
from sqlalchemy import Column, LargeBinary

revision: Final = "0006"
down_revision: Final = "0005"


def upgrade() -> None:
    """Add a column, which earlier versions ignore."""
    op.add_column("dead_letters", Column("resent_event", LargeBinary))
